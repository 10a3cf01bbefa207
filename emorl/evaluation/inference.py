"""What evaluation needs from the models, under the same names."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from discovery import Seed, TrainableModel
from emorl.slot_attention import SlotAttention


class Inferred(NamedTuple):
    """What a model infers from images.

    Attributes:
        slots: float32 [B, K, z], a sample of the final posterior; Slot Attention's slots.
        slot_means: float32 [B, K, z], the posterior's means; Slot Attention's slots.
        reconstruction: float32 [B, H, W, 3] in [0, 1].
        masks: float32 [B, K, H, W, 1], probabilities that sum to 1 over slots.
        kl: float32 [B], of the final posterior; None: Slot Attention has none.
    """

    slots: tf.Tensor
    slot_means: tf.Tensor
    reconstruction: tf.Tensor
    masks: tf.Tensor
    kl: tf.Tensor | None


def infer(model: TrainableModel, images: tf.Tensor, seed: Seed | tf.Tensor | int | None = 0) -> Inferred:
    """Runs a model on images [B, H, W, 3] in [0, 1], as at inference; noise depends only on the seed."""
    outputs = model(tf.cast(images, model.compute_dtype), training=False, seed=seed)
    masks = tf.exp(outputs.decoding.mask_log_probs)  # [B, K, H, W, 1]
    if isinstance(model, SlotAttention):
        means, kl = outputs.slots, None
    else:
        means, kl = outputs.posterior.mean, outputs.kl
    inferred = Inferred(outputs.slots, means, outputs.decoding.reconstruction, masks, kl)
    return tf.nest.map_structure(
        lambda value: None if value is None else tf.cast(value, tf.float32), inferred
    )


def means_and_masks(
    model: TrainableModel, images: tf.Tensor, seed: Seed | tf.Tensor | int | None = 0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the means of the posterior, float32 [B, K, z], and their own masks, float32 [B, K, H, W, 1]."""
    means = infer(model, images, seed).slot_means  # [B, K, z]
    log_probs = model.decode(tf.cast(means, model.compute_dtype)).mask_log_probs  # [B, K, H, W, 1]
    return means, tf.cast(tf.exp(log_probs), tf.float32)
