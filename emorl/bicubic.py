"""Bicubic resizing with Pillow's arithmetic, as the original's CLEVR loader and evaluation use it (E25)."""

from __future__ import annotations

import functools
import math

import numpy as np
import tensorflow as tf

# Pillow stores the taps of 8-bit images as integers with this many fractional bits.
_FRACTION_BITS = 22


def bicubic_resize(images: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Resizes as `PIL.Image.resize` does by default: separable, and low-pass when shrinking.

    Args:
        images: [B, H, W, C], uint8 or floating. H and W must be static.
        size: Height and width of the result.

    Returns:
        [B, *size, C]: uint8, bit for bit as Pillow (mode RGB or L), otherwise float32 (its mode F).
    """
    images = tf.convert_to_tensor(images)
    for axis, n_out in ((2, size[1]), (1, size[0])):  # Pillow: rows first, rounded, then columns
        if images.shape[axis] != n_out:
            images = _resize_axis(images, axis, n_out)
    return images if images.dtype == tf.uint8 else tf.cast(images, tf.float32)


def _resize_axis(images, axis, n_out):
    indices, weights = _taps(images.shape[axis], n_out)  # both [n_taps, n_out]
    is_bytes = images.dtype == tf.uint8
    if is_bytes:
        scaled = weights * (1 << _FRACTION_BITS)
        weights = np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int32)
    source = tf.cast(images, tf.int32 if is_bytes else tf.float64)
    column = [1, 1, 1, 1]
    column[axis] = n_out
    total = 0
    for index, weight in zip(indices, weights, strict=True):
        total += tf.gather(source, index, axis=axis) * weight.reshape(column)  # [B, H or h, w or W, C]
    if not is_bytes:
        return tf.cast(total, tf.float32)
    total = tf.bitwise.right_shift(total + (1 << (_FRACTION_BITS - 1)), _FRACTION_BITS)
    return tf.cast(tf.clip_by_value(total, 0, 255), tf.uint8)


@functools.cache
def _taps(n_in, n_out):
    """Which inputs each output reads, and with what weights: int32 and float64 [n_taps, n_out]."""
    scale = n_in / n_out
    stretch = max(scale, 1.0)
    support = 2.0 * stretch
    n_taps = math.ceil(support) * 2 + 1
    centers = (np.arange(n_out) + 0.5) * scale  # [n_out]
    first = np.maximum(np.trunc(centers - support + 0.5), 0)  # [n_out]
    last = np.minimum(np.trunc(centers + support + 0.5), n_in)  # [n_out], exclusive
    positions = first + np.arange(n_taps)[:, None]  # [n_taps, n_out]
    weights = _cubic((positions - centers + 0.5) / stretch) * (positions < last)
    weights /= weights.sum(axis=0)
    return np.minimum(positions, n_in - 1).astype(np.int32), weights


def _cubic(x, a=-0.5):
    """Keys' kernel."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
