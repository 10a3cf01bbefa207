"""Places templates on a canvas: an affine grid, and bilinear sampling that is zero outside the template."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

#: Points that `resample_points` sums before it writes all templates; L is ideally a multiple of it.
POINTS_AT_ONCE = 16


def affine_grid(
    pose: tf.Tensor, template_size: tuple[int, int], output_size: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where each pixel of the canvas lies in the template, by the inverse of the pose.

    Both canvas and template span [-1, 1]^2, with the centers of corner pixels at the corners.

    Args:
        pose: [..., 6], rows (m00, m01, tx, m10, m11, ty) of the map from template to canvas.
        template_size: (h, w).
        output_size: (H, W) of the canvas.

    Returns:
        x and y, [..., H * W] each: column and row in pixels of the template, for the canvas row by row.
    """
    pose = pose[..., tf.newaxis, :]  # [..., 1, 6]
    return template_coordinates(pose, *canvas_coordinates(output_size), template_size)  # [..., H * W] each


def canvas_coordinates(output_size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns x and y of each pixel of a canvas, in [-1, 1], row by row: [H * W] each."""
    H, W = output_size
    canvas_x = np.tile(np.linspace(-1.0, 1.0, W, dtype=np.float32), H)  # [H * W]
    canvas_y = np.repeat(np.linspace(-1.0, 1.0, H, dtype=np.float32), W)  # [H * W]
    return canvas_x, canvas_y


def template_coordinates(
    pose: tf.Tensor, canvas_x: tf.Tensor, canvas_y: tf.Tensor, template_size: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where points of a canvas lie in templates, by the inverse of the poses.

    Args:
        pose: [..., 6], as for `affine_grid`.
        canvas_x: broadcasts with [...], in [-1, 1].
        canvas_y: the same.
        template_size: (h, w).

    Returns:
        x and y: column and row in pixels of the template, of the shape that the arguments broadcast to.
    """
    h, w = template_size
    m00, m01, shift_x, m10, m11, shift_y = tf.unstack(pose, axis=-1)  # [...]
    determinant = m00 * m11 - m01 * m10
    # the inverse: (canvas_x, canvas_y) -> (i00 x + i01 y + i02, i10 x + i11 y + i12)
    i00, i01 = m11 / determinant, -m01 / determinant
    i10, i11 = -m10 / determinant, m00 / determinant
    i02 = -(i00 * shift_x + i01 * shift_y)
    i12 = -(i10 * shift_x + i11 * shift_y)

    to_columns, to_rows = (w - 1.0) / 2.0, (h - 1.0) / 2.0
    x = i00 * (canvas_x * to_columns) + i01 * (canvas_y * to_columns) + i02 * to_columns + to_columns
    y = i10 * (canvas_x * to_rows) + i11 * (canvas_y * to_rows) + i12 * to_rows + to_rows
    return x, y


def resample(templates: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Samples templates bilinearly; pixels outside a template count as zero, in value and gradient.

    All channels of a sample share one lookup and one set of weights: to sample several images at the same
    points, concatenate their channels.

    Args:
        templates: [..., h, w, C].
        x: [..., L], columns. NaN and infinity lie outside.
        y: [..., L], rows.

    Returns:
        [..., L, C].
    """
    h, w, channels = templates.shape[-3:]
    n_points = x.shape[-1]
    samples = _resample(
        tf.reshape(templates, [-1, h, w, channels]),
        tf.reshape(x, [-1, n_points]),
        tf.reshape(y, [-1, n_points]),
    )
    return tf.reshape(samples, tf.concat([tf.shape(x), [channels]], 0))


@tf.custom_gradient
def resample_points(templates: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Samples like `resample`, but with points before templates, which is faster with XLA on CPUs.

    The CPU's vectors lie along templates. The gradient multiplies each point with all pixels, which is fast
    as long as templates are small.

    Args:
        templates: [n, h, w, C]; all sizes are static.
        x: [L, n], columns. NaN and infinity lie outside.
        y: [L, n], rows.

    Returns:
        [L, n, C].
    """
    h, w = templates.shape[1:3]
    samples, to_points = _sample(templates, x, y, tf.range(tf.shape(x)[1]))
    return samples, lambda upstream: (_spread(upstream, x, y, h, w), *to_points(upstream))


@tf.custom_gradient
def _resample(templates, x, y):
    """Samples [n, h, w, C] at x, y [n, L]: [n, L, C]; its gradient avoids TensorFlow's many intermediates."""
    h, w = templates.shape[1:3]
    samples, to_points = _sample(templates, x, y, tf.range(tf.shape(x)[0])[:, tf.newaxis])

    def gradient(upstream):  # [n, L, C]
        return _scatter(upstream, x, y, h, w), *to_points(upstream)

    return samples, gradient


def _sample(templates, x, y, template):
    """Returns samples, [*points, C], and the map from their gradient to that of x and y.

    Args:
        templates: [n, h, w, C].
        x: [*points].
        y: [*points].
        template: which one each point samples; broadcasts to [*points].
    """
    h, w = templates.shape[1:3]
    cell, to_right, to_below = _locate(x, y, h, w)  # [*points] each
    corners = tf.gather(_cells(templates), cell + template * ((h + 1) * (w + 1)))  # [*points, 4 * C]
    corners = tf.split(corners, 4, axis=-1)  # 4 x [*points, C]
    samples = sum(
        weight[..., tf.newaxis] * corner
        for weight, corner in zip(_weights(to_right, to_below), corners, strict=True)
    )

    def to_points(upstream):  # [*points, C]
        s00, s01, s10, s11 = (tf.reduce_sum(corner * upstream, -1) for corner in corners)  # [*points]
        d_x = (s01 - s00) * (1.0 - to_below) + (s11 - s10) * to_below
        d_y = (s10 - s00) * (1.0 - to_right) + (s11 - s01) * to_right
        return d_x, d_y

    return samples, to_points


def _scatter(upstream, x, y, h, w):
    """Adds points [n, L, C] to the four pixels around them, the adjoint of sampling: [n, h, w, C]."""
    n, n_cells = tf.shape(x)[0], (h + 1) * (w + 1)
    cell, to_right, to_below = _locate(x, y, h, w)  # [n, L] each
    weighted = [weight[..., tf.newaxis] * upstream for weight in _weights(to_right, to_below)]
    weighted = tf.concat(weighted, -1)  # [n, L, 4 * C]
    cell += tf.range(n)[:, tf.newaxis] * n_cells
    cell = tf.where(_is_inside(x, y, h, w), cell, -1)  # dropped: on GPUs, all in one cell would queue up
    return _from_cells(tf.math.unsorted_segment_sum(weighted, cell, n * n_cells), h, w)


def _spread(upstream, x, y, h, w):
    """The same for [L, n, C], every point times all pixels' weights, most of which are zero."""
    inside = _is_inside(x, y, h, w)
    n_points, n, channels = upstream.shape
    at_once = math.gcd(n_points, POINTS_AT_ONCE)

    def blocks(points):
        return tf.reshape(points, [n_points // at_once, at_once, n])

    x, y = blocks(tf.where(inside, x, -1.0)), blocks(tf.where(inside, y, -1.0))
    by_channel = [blocks(u) for u in tf.unstack(upstream, axis=-1)]

    def add(i, total):
        columns = _hats(x[i], w)  # [at_once, w, n]
        rows = _hats(y[i], h)  # [at_once, h, n]
        rows = tf.stack([rows * u[i][:, tf.newaxis] for u in by_channel], 1)  # [at_once, C, h, n]
        points = zip(tf.unstack(rows), tf.unstack(columns), strict=True)
        return i + 1, total + sum(row[:, :, tf.newaxis] * column for row, column in points)

    zeros = tf.zeros([channels, h, w, n], upstream.dtype)
    _, total = tf.while_loop(lambda i, _: i < n_points // at_once, add, (0, zeros))  # [C, h, w, n]
    return tf.transpose(total, [3, 1, 2, 0])


def _hats(position, size):
    """Bilinear weights of pixels 0, ..., size - 1: [k, n] -> [k, size, n]."""
    pixels = np.arange(size, dtype=np.float32)[:, np.newaxis]  # [size, 1]
    return tf.nn.relu(1.0 - tf.abs(position[:, tf.newaxis] - pixels))


def _is_inside(x, y, h, w):
    return (x > -1.0) & (x < w) & (y > -1.0) & (y < h)  # false for NaN


def _locate(x, y, h, w):
    """Returns each point's cell in its template, and its distances from the left and upper pixels."""
    inside = _is_inside(x, y, h, w)
    # a point at (-1, -1) has all its weight on a pixel of the zero border, so it gives and receives nothing
    x, y = tf.where(inside, x, -1.0), tf.where(inside, y, -1.0)
    left, above = tf.floor(x), tf.floor(y)
    cell = tf.cast((above + 1.0) * (w + 1.0) + left + 1.0, tf.int32)
    return cell, x - left, y - above


def _weights(to_right, to_below):
    """Returns the bilinear weights of a cell's pixels: upper left, upper right, lower left, lower right."""
    left, above = 1.0 - to_right, 1.0 - to_below
    return left * above, to_right * above, left * to_below, to_right * to_below


def _cells(templates):
    """Lists the 2 x 2 neighborhoods of the zero-bordered templates: [n * (h + 1) * (w + 1), 4 * C]."""
    t = tf.pad(templates, [[0, 0], [1, 1], [1, 1], [0, 0]])  # [n, h + 2, w + 2, C]
    cells = tf.concat(
        [t[:, :-1, :-1], t[:, :-1, 1:], t[:, 1:, :-1], t[:, 1:, 1:]], -1
    )  # [n, h + 1, w + 1, 4 * C]
    return tf.reshape(cells, [-1, cells.shape[-1]])


def _from_cells(cells, h, w):
    """Sums the neighborhoods' values of each pixel, the adjoint of `_cells`: [n, h, w, C]."""
    corners = tf.split(tf.reshape(cells, [-1, h + 1, w + 1, cells.shape[-1]]), 4, axis=-1)
    return corners[0][:, 1:, 1:] + corners[1][:, 1:, :-1] + corners[2][:, :-1, 1:] + corners[3][:, :-1, :-1]
