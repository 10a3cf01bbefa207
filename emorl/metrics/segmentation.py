"""Converts masks in any encoding to one label per pixel, and counts how labels overlap."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from discovery import UserError


class Segmentation(NamedTuple):
    """Which group each pixel belongs to.

    Attributes:
        labels: int32 [B, H, W], in [0, n).
        n: Number of groups, some of which may be empty.
    """

    labels: tf.Tensor
    n: int | tf.Tensor


def true_segmentation(masks: tf.Tensor) -> Segmentation:
    """Reads ground-truth masks.

    Args:
        masks: Labels [B, H, W] or [B, 1, H, W] (integers, 0 is the background), or one mask per entity,
            [B, E, H, W], [B, E, 1, H, W] or [B, E, H, W, 1], with 0 and 1 or 0 and 255.

    Raises:
        UserError: The masks are not a partition (only checked outside of graphs).
    """
    masks = tf.convert_to_tensor(masks)
    stacked = _stacked(masks)
    if stacked is None:
        labels = tf.cast(masks if masks.shape.rank == 3 else masks[:, 0], tf.int32)
        return Segmentation(labels, tf.maximum(tf.reduce_max(labels), 0) + 1)
    if tf.executing_eagerly():
        _check_partition(stacked)
    return Segmentation(tf.argmax(stacked, axis=1, output_type=tf.int32), stacked.shape[1])


def predicted_segmentation(masks: tf.Tensor) -> Segmentation:
    """Assigns each pixel to its likeliest slot, the first one among equals.

    Args:
        masks: Probabilities or their logarithms, [B, K, H, W, 1], [B, K, 1, H, W] or [B, K, H, W]; or labels
            (integers) [B, H, W].
    """
    masks = tf.convert_to_tensor(masks)
    if masks.shape.rank == 3:
        return true_segmentation(masks)
    stacked = _without_channel(masks)
    return Segmentation(tf.argmax(stacked, axis=1, output_type=tf.int32), stacked.shape[1])


def overlaps(true: Segmentation, predicted: Segmentation) -> tf.Tensor:
    """Counts the pixels that each pair of groups shares: float64 [B, E, K], E and K the numbers of groups."""
    if not true.labels.shape[1:].is_compatible_with(predicted.labels.shape[1:]):
        raise UserError(
            f"true masks of {true.labels.shape[1:]} pixels, but predictions of {predicted.labels.shape[1:]}: "
            "resize the predictions to the masks first (resize_masks)."
        )
    # Counts below 2^24 are exact in float32, and a product of zeros and ones is exact in any precision.
    in_true = tf.one_hot(true.labels, true.n)  # [B, H, W, E]
    in_predicted = tf.one_hot(predicted.labels, predicted.n)  # [B, H, W, K]
    return tf.cast(tf.einsum("bhwe,bhwk->bek", in_true, in_predicted), tf.float64)


def _stacked(masks):
    """Returns masks of one entity each as [B, E, H, W]; None for labels."""
    rank = masks.shape.rank
    if rank == 5:
        return _without_channel(masks)
    if rank == 4 and masks.shape[1] != 1:
        return masks
    if rank in (3, 4) and not masks.dtype.is_floating:
        return None
    raise UserError(
        f"masks of shape {masks.shape} and type {masks.dtype.name} are neither labels nor entities."
    )


def _without_channel(masks):
    if masks.shape.rank == 4:
        return masks
    return tf.squeeze(masks, axis=2 if masks.shape[2] == 1 else 4)


def _check_partition(masks):
    largest = tf.reduce_max(masks)
    owners = tf.reduce_sum(tf.cast(masks > 0, tf.int32), axis=1)  # [B, H, W]
    known = (largest == 1) | (largest == 255)
    if not (known & tf.reduce_all((masks == 0) | (masks == largest)) & tf.reduce_all(owners == 1)):
        raise UserError(
            "true masks are no partition: each pixel must have 1 (or 255) in exactly one entity, 0 elsewhere."
        )
