"""How the slots of images are inferred, stage by stage: what plots show and `sample_viz` stores."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from discovery import Seed, TrainableModel
from emorl.efficient_morl import EfficientMORL
from emorl.slot_attention import SlotAttention


class StageViews(NamedTuple):
    """What T stages look like: EfficientMORL has L layers, then I refinements; the others have one stage.

    Attributes:
        masks: float32 [B, T, K, H, W, 1], probability that a pixel belongs to a slot; sums to 1 over slots.
        mask_log_probs: their logarithms.
        slots: float32 [B, T, K, H, W, 3] in [0, 1], each slot's colors where its mask is, on white.
        reconstruction: float32 [B, T, H, W, 3] in [0, 1].
        attention: float32 [B, A, K, H, W, 1], softmax over slots + 1e-8, of the L layers or of Slot
            Attention's iterations.
    """

    masks: tf.Tensor
    mask_log_probs: tf.Tensor
    slots: tf.Tensor
    reconstruction: tf.Tensor
    attention: tf.Tensor


def stage_views(
    model: TrainableModel, images: tf.Tensor, seed: Seed | tf.Tensor | int | None = 0
) -> StageViews:
    """Runs a model on images [B, H, W, 3] in [0, 1], as at inference."""
    outputs = model(tf.cast(images, model.compute_dtype), training=False, seed=seed)
    if not isinstance(model, EfficientMORL):
        decodings = [outputs.decoding]
        attention = outputs.attentions if isinstance(model, SlotAttention) else []
    else:
        # The first stage decodes the last layer's sample.
        decodings = [*model.decode_layers(outputs)[:-1], *(stage.decoding for stage in outputs.stages)]
        attention = [layer.attention for layer in outputs.layers]
    means = tf.stack([decoding.means for decoding in decodings], axis=1)  # [B, T, K, H, W, 3]
    log_probs = tf.stack([decoding.mask_log_probs for decoding in decodings], axis=1)  # [B, T, K, H, W, 1]
    masks = tf.exp(log_probs)
    maps = tf.stack(attention, axis=1)[..., None] if attention else masks[:, :0]  # [B, A, K, H, W, 1]
    views = StageViews(
        masks, log_probs, masks * means + (1.0 - masks), tf.reduce_sum(masks * means, axis=2), maps
    )
    return StageViews(*(tf.cast(view, tf.float32) for view in views))


def stage_names(model: TrainableModel, views: StageViews) -> list[str]:
    """Names each row of a picture: attention fills the first A of them, decodings the last T."""
    n_decoded, n_attended = views.masks.shape[1], views.attention.shape[1]
    if isinstance(model, SlotAttention):
        return [f"iteration {i + 1}" for i in range(n_attended)]
    if not isinstance(model, EfficientMORL):
        return ["reconstruction"]
    layers = [f"layer {i + 1}" for i in range(n_attended)] or [
        "start"
    ]  # without layers: the initial posterior
    return layers + [f"refinement {i + 1}" for i in range(n_decoded - len(layers))]
