"""Reconstruction error per image."""

from __future__ import annotations

import tensorflow as tf


def mean_squared_error(image: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
    """Returns the mean over pixels and channels: two float32 [B, H, W, C] in [0, 1] -> [B]."""
    return tf.reduce_mean(tf.math.squared_difference(image, reconstruction), axis=[1, 2, 3])
