"""What single latents do: their ranges, what changes with them, and how much (EMORL, section 4.3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from discovery import DataSource, Seed, TrainableModel, UserError
from emorl.evaluation.inference import infer
from emorl.evaluation.run_over_scenes import filled_up, images_at_a_time, over_scenes
from emorl.metrics import disentanglement

#: Number of scenes on which ranges and activeness are measured, as in the original.
N_SCENES = 100


class FoundSlots(NamedTuple):
    """The first N test scenes, and what a model finds in them.

    Attributes:
        image: float32 [N, H, W, 3] in [0, 1].
        slots: float32 [N, K, z], samples of the final posterior; Slot Attention's slots.
        reconstruction: float32 [N, H, W, 3].
        masks: float32 [N, K, H, W, 1].
    """

    image: np.ndarray
    slots: np.ndarray
    reconstruction: np.ndarray
    masks: np.ndarray


class Traversal(NamedTuple):
    """One slot of an image, with each of its latents traversed.

    Attributes:
        pictures: float32 [z, n_steps, H, W, 3], the whole image with the slot's latent at each value.
        values: float64 [z, n_steps].
        image: float32 [H, W, 3].
        reconstruction: float32 [H, W, 3], with no latent moved.
        masks: float32 [K, H, W, 1], with no latent moved.
    """

    pictures: np.ndarray
    values: np.ndarray
    image: np.ndarray
    reconstruction: np.ndarray
    masks: np.ndarray


def find_slots(
    model: TrainableModel, source: DataSource, n_images: int = N_SCENES, seed: Seed | int = 0
) -> FoundSlots:
    """Runs EfficientMORL or Slot Attention on the first test scenes.

    Args:
        model: One of the two.
        source: The data.
        n_images: Number of scenes; fewer if the set is smaller.
        seed: Seed of the samples.
    """
    parts = [
        FoundSlots(scenes["image"], seen.slots, seen.reconstruction, seen.masks)
        for scenes, seen in over_scenes(model, source, n_images, lambda x: infer(model, x, seed))
    ]
    return FoundSlots(*(np.concatenate(part) for part in zip(*parts, strict=True)))


class SlotMover:
    """Renders an image with one slot moved; decodes only that slot again.

    Args:
        model: EfficientMORL or Slot Attention.
    """

    def __init__(self, model: TrainableModel):
        self._dtype = model.compute_dtype
        self._n = images_at_a_time(model) * model.config.K  # slots at a time
        decoder = model.decoder

        def colors_and_logits(slots):
            decoded = decoder.render(slots)  # [n, H, W, 4]
            return tf.sigmoid(decoded[..., :3]), decoded[..., 3:]

        @tf.function
        def others(slots, slot):
            colors, logits = colors_and_logits(slots)  # [K, H, W, 3], [K, H, W, 1]
            moves = tf.range(len(slots))[:, None, None, None] == slot  # [K, 1, 1, 1]
            logits = tf.where(moves, tf.constant(-np.inf, logits.dtype), logits)
            weighed = tf.nn.softmax(logits, axis=0) * colors  # [K, H, W, 3]; NaN for a single slot
            weighed = tf.where(moves, tf.zeros_like(weighed), weighed)
            return tf.reduce_sum(weighed, axis=0), tf.reduce_logsumexp(logits, axis=0)  # [H, W, 3], [H, W, 1]

        @tf.function
        def with_moved(slots, mixed, total_logit):
            colors, logits = colors_and_logits(slots)  # [n, H, W, 3], [n, H, W, 1]
            mask = tf.sigmoid(logits - total_logit)  # [n, H, W, 1]: of two, the slot and all others
            return tf.cast(mask * colors + (1.0 - mask) * mixed, tf.float32)

        self._others, self._with_moved = others, with_moved

    def __call__(self, slots: np.ndarray, slot: int, values: np.ndarray) -> np.ndarray:
        """Moves the latents of one slot, one after the other.

        Args:
            slots: float [K, z] of one image.
            slot: Which slot moves.
            values: [z, n_steps].

        Returns:
            float32 [z, n_steps, H, W, 3].
        """
        mixed, total_logit = self._others(tf.cast(slots, self._dtype), tf.constant(slot, tf.int32))
        moved = disentanglement.traverse(slots[slot : slot + 1], 0, values)  # [z, n_steps, 1, z]
        z, n_steps = values.shape
        rows = tf.cast(moved.reshape([z * n_steps, z]), self._dtype)
        pictures = []
        for first in range(0, z * n_steps, self._n):
            part = rows[first : first + self._n]
            pictures.append(self._with_moved(filled_up(part, self._n), mixed, total_logit)[: len(part)])
        pictures = np.concatenate(pictures)  # [z * n_steps, H, W, 3]
        return pictures.reshape([z, n_steps, *pictures.shape[1:]])


def activeness(
    move: SlotMover,
    slots: np.ndarray,
    ranges: np.ndarray,
    seed: int = 0,
    moved: np.ndarray | None = None,
) -> np.ndarray:
    """Measures how much images change as each latent of one of their slots runs over its range.

    Args:
        move: Renders them.
        slots: float [N, K, z], of N images.
        ranges: [z, 2], from `emorl.metrics.disentanglement.latent_ranges`.
        seed: Seed of the choice of slots.
        moved: int [N], which slot of each image moves; by default, a random one.

    Returns:
        float32 [N, z], variance over six values, mean over pixels and colors.
    """
    if moved is None:
        moved = np.random.default_rng(seed).integers(slots.shape[1], size=len(slots))
    values = disentanglement.sweep_values(ranges)  # [z, 6]
    pictures = (move(image_slots, slot, values) for image_slots, slot in zip(slots, moved, strict=True))
    return np.stack([disentanglement.activeness(p) for p in pictures]).astype(np.float32)


def traversals(
    move: SlotMover, found: FoundSlots, slot: int, ranges: np.ndarray, n_steps: int = 8
) -> list[Traversal]:
    """Moves every latent of one slot of each image, for plots.

    Args:
        move: Renders them.
        found: The images.
        slot: Which slot moves.
        ranges: [z, 2], from `emorl.metrics.disentanglement.latent_ranges`.
        n_steps: Number of values around the middle of the range (`traversal_values`).

    Raises:
        UserError: There is no such slot.
    """
    n_slots = found.slots.shape[1]
    if not 0 <= slot < n_slots:
        raise UserError(f"--disentangle_slot={slot}: the model has slots 0 to {n_slots - 1}.")
    values = disentanglement.traversal_values(ranges, n_steps)  # [z, n_steps]
    return [
        Traversal(move(slots, slot, values), values, image, reconstruction, masks)
        for image, slots, reconstruction, masks in zip(*found, strict=True)
    ]
