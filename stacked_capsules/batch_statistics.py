"""Sums over the global batch, all computed by one reduction."""

from __future__ import annotations

import math

import tensorflow as tf

from discovery import BatchSum


def batch_totals(per_example: dict[str, tf.Tensor], batch_sum: BatchSum) -> dict[str, tf.Tensor]:
    """Sums every entry over the global batch.

    All entries are sent in one vector, so that replicas exchange one message instead of a dozen.

    Args:
        per_example: name -> float32 [B, ...] with a static shape after the first axis; B is this replica's.
        batch_sum: Sums each replica's tensor over all replicas.

    Returns:
        name -> float32 [...].
    """
    shapes = {name: value.shape[1:].as_list() for name, value in per_example.items()}
    local = tf.concat([tf.reshape(tf.reduce_sum(v, 0), [-1]) for v in per_example.values()], 0)  # [all]
    parts = tf.split(batch_sum(local), [math.prod(shape) for shape in shapes.values()])
    return {name: tf.reshape(part, shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def weighted_sum(metrics: dict[str, tf.Tensor], weights: dict[str, float]) -> tf.Tensor:
    """Sums the scalars with nonzero weights; only a scalar whose weight is zero may be missing."""
    return tf.add_n([weight * metrics[name] for name, weight in weights.items() if weight != 0.0])
