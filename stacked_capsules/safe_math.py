"""Logarithms and ratios that stay finite, in value and in gradient, at zero."""

from __future__ import annotations

import tensorflow as tf

#: Replaces the logarithm of zero: far below any log-probability, yet finite in float32.
LOG_ZERO = -1e8


def safe_log(x: tf.Tensor, eps: float = 1e-16) -> tf.Tensor:
    """Logarithm; below `eps` it is `LOG_ZERO` and has no gradient."""
    is_zero = x < eps
    # the inner `where` keeps the infinite slope at zero out of the gradient
    return tf.where(is_zero, LOG_ZERO, tf.math.log(tf.where(is_zero, tf.ones_like(x), x)))


def safe_ce(labels: tf.Tensor, probs: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Cross entropy of `probs` under `labels`, summed over `axis`, then averaged: a scalar; for parity."""
    return tf.reduce_mean(-tf.reduce_sum(labels * safe_log(probs), axis))


def normalize(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Divides by the sum over `axis`; all zeros stay zeros."""
    return x / (tf.reduce_sum(x, axis, keepdims=True) + 1e-8)
