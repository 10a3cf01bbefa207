"""Sums over the whole batch, all of them formed by one reduction."""

from __future__ import annotations

import math

import tensorflow as tf

from discovery import BatchSum


def batch_totals(per_example: dict[str, tf.Tensor], batch_sum: BatchSum) -> dict[str, tf.Tensor]:
    """Sums every entry over the global batch.

    All entries travel in one vector, so that many replicas exchange one message and not a dozen.

    Args:
        per_example: name -> float32 [B, ...] with a static shape after the first axis, B as held here.
        batch_sum: Sum over replicas of what each of them holds.

    Returns:
        name -> float32 [...].
    """
    shapes = {name: value.shape[1:].as_list() for name, value in per_example.items()}
    local = tf.concat([tf.reshape(tf.reduce_sum(v, 0), [-1]) for v in per_example.values()], 0)  # [all]
    parts = tf.split(batch_sum(local), [math.prod(shape) for shape in shapes.values()])
    return {name: tf.reshape(part, shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def weighted_sum(metrics: dict[str, tf.Tensor], weights: dict[str, float]) -> tf.Tensor:
    """Sums those scalars that have a weight other than zero; a scalar may be missing then only."""
    return tf.add_n([weight * metrics[name] for name, weight in weights.items() if weight != 0.0])
