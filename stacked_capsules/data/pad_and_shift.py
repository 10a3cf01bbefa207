"""Shifted digits: each image at some position on a larger black canvas."""

from __future__ import annotations

import tensorflow as tf

from discovery import Seed


def pad_and_shift(images: tf.Tensor, offsets: tf.Tensor, canvas_size: int) -> tf.Tensor:
    """Places each image of a batch on a canvas of zeros; what extends beyond the canvas is cut off.

    Args:
        images: any type [B, H, W, C].
        offsets: int32 [B, 2], row and column of each image's first pixel on the canvas.
        canvas_size: Side of the canvas.

    Returns:
        [B, canvas_size, canvas_size, C] of the type of `images`.
    """
    _, height, width, channels = images.shape
    padded = tf.pad(
        images, [[0, 0], [1, 0], [1, 0], [0, 0]]
    )  # [B, H + 1, W + 1, C]; row 0, column 0 are black
    pixels = tf.reshape(padded, [-1, (height + 1) * (width + 1), channels])  # [B, (H + 1)(W + 1), C]
    rows = _source(offsets[:, 0], height, canvas_size)  # [B, canvas]
    columns = _source(offsets[:, 1], width, canvas_size)  # [B, canvas]
    flat = rows[:, :, None] * (width + 1) + columns[:, None]  # [B, canvas, canvas]
    return tf.gather(pixels, flat, batch_dims=1)  # [B, canvas, canvas, C]


def random_offsets(
    seed: Seed, n: int, image_size: tuple[int, int], canvas_size: int, shift: int | None = None
) -> tf.Tensor:
    """Draws positions for n images, rows and columns independently.

    Args:
        seed: Seed of this draw.
        n: Number of images.
        image_size: Height and width, at most `canvas_size`.
        canvas_size: Side of the canvas.
        shift: Largest draw; by default the difference between the sizes of canvas and image.

    Returns:
        int32 [n, 2].
    """
    u = seed.uniform([n, 2])  # [n, 2]
    offsets = []
    for axis, size in enumerate(image_size):
        most = canvas_size - size if shift is None else shift
        draws = tf.cast(tf.floor(u[:, axis] * (2 * most + 1)), tf.int32) - most  # [n], in [-most, most]
        offsets.append(first_pixel(draws, size, canvas_size))
    return tf.stack(offsets, axis=1)  # [n, 2]


def first_pixel(draws: tf.Tensor, size: int, canvas_size: int) -> tf.Tensor:
    """Returns where an image starts on the canvas, given a shift drawn from {-s, ..., s}.

    The original pads by the shift (before the image if it is negative, otherwise after it) and then splits
    the remaining padding evenly, with the odd pixel before the image. So the image moves by half the draw:
    from 28 to 40 pixels, the start is 0 with probability 1/25 and each of 1..12 with 2/25.
    """
    missing = tf.maximum(canvas_size - size - tf.abs(draws), 0)  # like draws
    return tf.maximum(-draws, 0) + (missing + 1) // 2  # like draws


def _source(offset, size, canvas_size):
    """Returns, for each position on the canvas, its position in the padded image; 0 is black."""
    source = tf.range(canvas_size) - offset[:, None]  # [B, canvas]
    return tf.where((source >= 0) & (source < size), source + 1, 0)
