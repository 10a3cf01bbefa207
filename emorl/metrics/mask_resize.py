"""Predicted masks at the size of the true ones (E25)."""

from __future__ import annotations

import tensorflow as tf

from emorl.bicubic import bicubic_resize


def resize_masks(masks: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Resizes mask probabilities bicubically, as the original's evaluation does before the argmax.

    Args:
        masks: float [B, K, H, W, 1].
        size: Height and width of the true masks; nothing changes if they are H and W.

    Returns:
        float32 [B, K, *size, 1].
    """
    shape = tf.shape(masks)
    flat = tf.reshape(masks, [shape[0] * shape[1], *masks.shape[2:]])  # [B * K, H, W, 1]
    return tf.reshape(bicubic_resize(flat, size), [shape[0], shape[1], *size, 1])
