"""Places templates on a canvas: an affine grid, and bilinear sampling that is zero outside the template."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

#: Points that `_spread` adds up before it writes what it has: all pixels of all templates.
_POINTS_AT_ONCE = 16


def affine_grid(
    pose: tf.Tensor, template_size: tuple[int, int], output_size: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where each pixel of the canvas lies in the template, by the inverse of the pose.

    Both canvas and template are [-1, 1]^2, the centres of their corner pixels being the corners.

    Args:
        pose: [..., 6], rows (m00, m01, tx, m10, m11, ty) of the map from template to canvas.
        template_size: (h, w).
        output_size: (H, W) of the canvas.

    Returns:
        x and y, [..., H * W] each: column and row in pixels of the template, row by row of the canvas.
    """
    (h, w), (H, W) = template_size, output_size
    m00, m01, shift_x, m10, m11, shift_y = (p[..., tf.newaxis] for p in tf.unstack(pose, axis=-1))  # [..., 1]
    determinant = m00 * m11 - m01 * m10
    # the inverse: (canvas_x, canvas_y) -> (i00 x + i01 y + i02, i10 x + i11 y + i12)
    i00, i01 = m11 / determinant, -m01 / determinant
    i10, i11 = -m10 / determinant, m00 / determinant
    i02 = -(i00 * shift_x + i01 * shift_y)
    i12 = -(i10 * shift_x + i11 * shift_y)

    to_columns, to_rows = (w - 1.0) / 2.0, (h - 1.0) / 2.0
    canvas_x = np.tile(np.linspace(-1.0, 1.0, W, dtype=np.float32), H)  # [H * W]
    canvas_y = np.repeat(np.linspace(-1.0, 1.0, H, dtype=np.float32), W)  # [H * W]
    x = i00 * (canvas_x * to_columns) + i01 * (canvas_y * to_columns) + i02 * to_columns + to_columns
    y = i10 * (canvas_x * to_rows) + i11 * (canvas_y * to_rows) + i12 * to_rows + to_rows
    return x, y  # [..., H * W] each


def resample(templates: tf.Tensor, x: tf.Tensor, y: tf.Tensor, scatter: bool = True) -> tf.Tensor:
    """Samples templates bilinearly; pixels outside of a template count as zero, in value and gradient.

    All channels of a sample share one look-up and one set of weights: to sample several images at the same
    points, concatenate their channels. XLA makes this about five times as fast on CPUs.

    Args:
        templates: [..., h, w, C].
        x: [..., L], columns. NaN and infinity lie outside.
        y: [..., L], rows.
        scatter: How the gradient of templates is made: each point adds to its four pixels, or all points to
            all pixels, which XLA on CPUs does faster as long as templates are small.

    Returns:
        [..., L, C].
    """
    h, w, channels = templates.shape[-3:]
    n_points = x.shape[-1]
    samples = tf.custom_gradient(lambda *inputs: _resample(*inputs, _scatter if scatter else _spread))(
        tf.reshape(templates, [-1, h, w, channels]),
        tf.reshape(x, [-1, n_points]),
        tf.reshape(y, [-1, n_points]),
    )
    return tf.reshape(samples, tf.concat([tf.shape(x), [channels]], 0))


def _resample(templates, x, y, to_templates):
    """Samples [n, h, w, C] at x, y [n, L]: [n, L, C]; the gradient spares TensorFlow's many intermediates."""
    cell, to_right, to_below = _locate(x, y, *templates.shape[1:3])  # [n * L], [n, L], [n, L]
    n_points, channels = x.shape[1], templates.shape[3]
    corners = tf.gather(_cells(templates), cell)  # [n * L, 4 * C]
    corners = tf.split(tf.reshape(corners, [-1, n_points, 4 * channels]), 4, axis=-1)  # 4 x [n, L, C]
    samples = sum(
        weight[..., tf.newaxis] * corner
        for weight, corner in zip(_weights(to_right, to_below), corners, strict=True)
    )

    def gradient(upstream):  # [n, L, C]
        s00, s01, s10, s11 = (tf.reduce_sum(corner * upstream, -1) for corner in corners)  # [n, L]
        d_x = (s01 - s00) * (1.0 - to_below) + (s11 - s10) * to_below
        d_y = (s10 - s00) * (1.0 - to_right) + (s11 - s01) * to_right

        return to_templates(upstream, x, y, *templates.shape[1:3]), d_x, d_y

    return samples, gradient


def _scatter(upstream, x, y, h, w):
    """Adds points [n, L, C] to the four pixels around them, the adjoint of sampling: [n, h, w, C]."""
    cell, to_right, to_below = _locate(x, y, h, w)  # [n * L], [n, L], [n, L]
    weighted = [weight[..., tf.newaxis] * upstream for weight in _weights(to_right, to_below)]
    weighted = tf.reshape(tf.concat(weighted, -1), [-1, 4 * upstream.shape[2]])  # [n * L, 4 * C]
    n_cells = tf.shape(x)[0] * ((h + 1) * (w + 1))
    return _from_cells(tf.math.unsorted_segment_sum(weighted, cell, n_cells), h, w)


def _spread(upstream, x, y, h, w):
    """The same as `_scatter`, every point times all pixels' weights, most of which are zero."""
    inside = _is_inside(x, y, h, w)
    n_points, channels = upstream.shape[1:]
    at_once = math.gcd(n_points, _POINTS_AT_ONCE)

    def blocks(points):
        """Makes the samples the last axis, along which a CPU's vectors lie: [L / at_once, at_once, n]."""
        return tf.reshape(tf.transpose(points), [n_points // at_once, at_once, -1])

    x, y = blocks(tf.where(inside, x, -1.0)), blocks(tf.where(inside, y, -1.0))
    by_channel = [blocks(u) for u in tf.unstack(upstream, axis=-1)]

    def add(i, total):
        columns = _hats(x[i], w)  # [at_once, w, n]
        rows = _hats(y[i], h)  # [at_once, h, n]
        rows = tf.stack([rows * u[i][:, tf.newaxis] for u in by_channel], 1)  # [at_once, C, h, n]
        points = zip(tf.unstack(rows), tf.unstack(columns), strict=True)
        return i + 1, total + sum(row[:, :, tf.newaxis] * column for row, column in points)

    zeros = tf.zeros([channels, h, w, tf.shape(x)[2]])
    _, total = tf.while_loop(lambda i, _: i < n_points // at_once, add, (0, zeros))  # [C, h, w, n]
    return tf.transpose(total, [3, 1, 2, 0])


def _hats(position, size):
    """Bilinear weights of pixels 0, ..., size - 1: [k, n] -> [k, size, n]."""
    pixels = np.arange(size, dtype=np.float32)[:, np.newaxis]  # [size, 1]
    return tf.nn.relu(1.0 - tf.abs(position[:, tf.newaxis] - pixels))


def _is_inside(x, y, h, w):
    return (x > -1.0) & (x < w) & (y > -1.0) & (y < h)  # false for NaN


def _locate(x, y, h, w):
    """Returns which cell each point lies in, and how far it is from the cell's left and upper pixels."""
    inside = _is_inside(x, y, h, w)  # [n, L]
    # a point at (-1, -1) has all its weight on a pixel of the zero border, so that it gives and gets nothing
    x, y = tf.where(inside, x, -1.0), tf.where(inside, y, -1.0)
    left, above = tf.floor(x), tf.floor(y)
    cell = tf.cast((above + 1.0) * (w + 1.0) + left + 1.0, tf.int32)  # [n, L]
    first = tf.range(tf.shape(x)[0])[:, tf.newaxis] * ((h + 1) * (w + 1))  # [n, 1]
    return tf.reshape(cell + first, [-1]), x - left, y - above


def _weights(to_right, to_below):
    """Returns the bilinear weights of a cell's pixels: upper left, upper right, lower left, lower right."""
    left, above = 1.0 - to_right, 1.0 - to_below
    return left * above, to_right * above, left * to_below, to_right * to_below


def _cells(templates):
    """Lists the 2 x 2 neighbourhoods of the zero-bordered templates: [n * (h + 1) * (w + 1), 4 * C]."""
    t = tf.pad(templates, [[0, 0], [1, 1], [1, 1], [0, 0]])  # [n, h + 2, w + 2, C]
    cells = tf.concat(
        [t[:, :-1, :-1], t[:, :-1, 1:], t[:, 1:, :-1], t[:, 1:, 1:]], -1
    )  # [n, h + 1, w + 1, 4 * C]
    return tf.reshape(cells, [-1, cells.shape[-1]])


def _from_cells(cells, h, w):
    """Adds up what the neighbourhoods say about each pixel, the adjoint of `_cells`: [n, h, w, C]."""
    corners = tf.split(tf.reshape(cells, [-1, h + 1, w + 1, cells.shape[-1]]), 4, axis=-1)
    return corners[0][:, 1:, 1:] + corners[1][:, 1:, :-1] + corners[2][:, :-1, 1:] + corners[3][:, :-1, :-1]
