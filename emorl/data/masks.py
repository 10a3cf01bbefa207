"""Converts stored ground-truth masks (0 and 1, or 0 and 255), a partition, to one-hot entities."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from discovery import UserError

_PROBLEM = "masks are no partition: each pixel must have 1 (or 255) in exactly one entity and 0 in all others"


def one_hot_masks(masks: tf.Tensor, where: str) -> tf.Tensor:
    """Converts stored masks, uint8 [B, E, H, W], to 0 and 1; TensorFlow's error if they are no partition."""
    with tf.control_dependencies([tf.debugging.Assert(_is_partition(masks), [f"{where}: {_PROBLEM}"])]):
        return tf.cast(masks > 0, tf.uint8)  # [B, E, H, W]


def check_partition(masks: np.ndarray, where: str) -> None:
    """Raises `UserError` unless uint8 [B, E, H, W] is a partition of the pixels; `where` names the file."""
    if masks.size and not _is_partition(tf.constant(masks)):
        raise UserError(f"{where}: {_PROBLEM}; fix the file, or do without masks.")


def _is_partition(masks):
    largest = tf.reduce_max(masks)  # of all masks, so that 1 and 255 are not mixed
    owners = tf.reduce_sum(tf.cast(masks > 0, tf.int32), axis=1)  # [B, H, W]
    values = tf.reduce_all((masks == 0) | (masks == largest)) & ((largest == 1) | (largest == 255))
    return values & tf.reduce_all(owners == 1)
