"""Poses: parameters of affine maps, the maps themselves, and how they act on points."""

from __future__ import annotations

import math

import tensorflow as tf


def geometric_transform(
    pose: tf.Tensor, similarity: bool = False, nonlinear: bool = True, as_matrix: bool = False
) -> tf.Tensor:
    """Turns six unconstrained numbers into an affine map of the plane.

    SCAE, section 2.2, pose of a part as an affine map: x_m -> (scale, rotation, shear, translation).

    Args:
        pose: [..., 6], in the order scale x, scale y, angle, shear, translation x, translation y.
        similarity: Rotation, uniform scale (scale x) and translation only; shear and scale y are ignored.
        nonlinear: Squash the numbers: scales to (.01, 1.01), shear and shift to (-1, 1), angle in turns.
            Otherwise, scales are made positive and the rest is used as is.
        as_matrix: Return homogeneous matrices instead of their first two rows.

    Returns:
        [..., 6], rows (m00, m01, tx, m10, m11, ty), or [..., 3, 3].
    """
    scale_x, scale_y, angle, shear, shift_x, shift_y = tf.unstack(pose, axis=-1)  # each: [...]
    if nonlinear:
        scale_x, scale_y = tf.sigmoid(scale_x) + 1e-2, tf.sigmoid(scale_y) + 1e-2
        shear, shift_x, shift_y = (tf.tanh(5.0 * v) for v in (shear, shift_x, shift_y))
        angle = 2.0 * math.pi * angle
    else:
        scale_x, scale_y = tf.abs(scale_x) + 1e-2, tf.abs(scale_y) + 1e-2

    cos, sin = tf.cos(angle), tf.sin(angle)
    if similarity:
        row_x = (scale_x * cos, -scale_x * sin, shift_x)
        row_y = (scale_x * sin, scale_x * cos, shift_y)
    else:
        row_x = (scale_x * cos + shear * scale_y * sin, shear * scale_y * cos - scale_x * sin, shift_x)
        row_y = (scale_y * sin, scale_y * cos, shift_y)

    if not as_matrix:
        return tf.stack(row_x + row_y, axis=-1)  # [..., 6]
    zero, one = tf.zeros_like(cos), tf.ones_like(cos)
    rows = [tf.stack(row, axis=-1) for row in (row_x, row_y, (zero, zero, one))]  # each: [..., 3]
    return tf.stack(rows, axis=-2)  # [..., 3, 3]


def apply_transform(transform: tf.Tensor, points: tf.Tensor | None = None, affine: bool = True) -> tf.Tensor:
    """Maps each set of points by its own transform.

    Args:
        transform: [..., d+1, d+1], acting on column vectors.
        points: [..., n, d]; None: the origin.
        affine: Whether the last row is (0, ..., 0, 1), so that no division is needed.

    Returns:
        [..., n, d], or [..., d] (the translations) without points.
    """
    if points is None:
        return transform[..., :-1, -1]  # [..., d]
    if affine:
        moved = tf.matmul(points, transform[..., :-1, :-1], transpose_b=True)  # [..., n, d]
        return moved + transform[..., tf.newaxis, :-1, -1]
    return from_homogeneous(tf.matmul(to_homogeneous(points), transform, transpose_b=True))


def to_homogeneous(points: tf.Tensor) -> tf.Tensor:
    """Appends a one: [..., d] -> [..., d+1]."""
    return tf.concat([points, tf.ones_like(points[..., :1])], axis=-1)


def from_homogeneous(points: tf.Tensor) -> tf.Tensor:
    """Divides by the last coordinate and drops it: [..., d+1] -> [..., d]."""
    return points[..., :-1] / (points[..., -1:] + 1e-8)
