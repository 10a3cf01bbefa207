"""Tetrominoes: three on black, drawn pixel for pixel as in DeepMind's Multi-Object Datasets."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from discovery import Seed
from emorl.data.generated import Scenes

SIZE = 35
BLOCK = 5  # pixels
N_PIECES = 3

# 17 of the 19 fixed tetrominoes. Fifteen are visible in the ten real scenes at hand and in the picture on the
# data set's page; neither shows which two of the other four are missing. Left out are the T that points up
# (.#./###) and the upright J (.#/.#/##); the horizontal I and the upright Z are kept, so that pieces with two
# orientations have both.
SHAPES = (
    *("##/##", "####", "#/#/#/#"),  # O, I
    *(".##/##.", "#./##/.#", "##./.##", ".#/##/#."),  # S, Z
    *("###/.#.", "#./##/#.", ".#/##/.#"),  # T
    *("#./#./##", "###/#..", "##/.#/.#", "..#/###"),  # L
    *("#../###", "##/#./#.", "###/..#"),  # J
)

# Which of red, green and blue are on.
COLORS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.uint8)

_MIDDLE = [127, 159, 159, 159, 191]
BEVEL = np.array([[191, 255, 255, 255, 223], _MIDDLE, _MIDDLE, _MIDDLE, [95, 63, 63, 63, 127]], np.uint8)

# Row and column of each block, in blocks: int32 [17, 4, 2]; height and width, in pixels: [17, 2].
_BLOCKS = np.array([np.argwhere([[c == "#" for c in row] for row in s.split("/")]) for s in SHAPES], np.int32)
_EXTENT = (_BLOCKS.max(axis=1) + 1) * BLOCK

_TRIES = 32  # arrangements drawn at a time: about one in five has no overlap


def tetromino_scenes(seed: Seed, n: int) -> Scenes:
    """Draws n scenes of three tetrominoes each.

    Shapes and colors are independent and uniform; positions are uniform over the arrangements in which all
    are completely inside and none overlap (they may touch).

    Args:
        seed: The scenes depend only on it.
        n: Number of scenes.

    Returns:
        Scenes of 35x35 pixels and 4 entities; factors are x and y of the top left corner of a piece's
        bounding box in pixels, its shape (1 to 17: position in `SHAPES`), red, green and blue (0 or 1), and
        visibility.
    """
    shape = _integers(seed.fold(0), (n, N_PIECES), len(SHAPES))  # [n, 3]
    color = _integers(seed.fold(1), (n, N_PIECES), len(COLORS))  # [n, 3]
    return draw_tetrominoes(shape, color, _place(seed.fold(2), shape))


def draw_tetrominoes(shape: tf.Tensor, color: tf.Tensor, corner: tf.Tensor) -> Scenes:
    """Draws scenes with the given pieces.

    Args:
        shape: int32 [n, 3], indices into `SHAPES`.
        color: int32 [n, 3], indices into `COLORS`.
        corner: int32 [n, 3, 2], row and column of the top left corner of each bounding box.
    """
    owner, level = _paint(corner[:, :, None] + BLOCK * tf.gather(_BLOCKS, shape))  # both [n, 35, 35]
    rgb = tf.gather(COLORS, color)  # [n, 3, 3]
    on = tf.pad(rgb, [[0, 0], [1, 0], [0, 0]])  # [n, 4, 3]
    image = level[..., None] * tf.gather(on, owner, batch_dims=1)  # [n, 35, 35, 3]
    mask = tf.cast(owner[:, None] == tf.range(N_PIECES + 1)[:, None, None], tf.uint8)  # [n, 4, 35, 35]
    known = [corner[..., ::-1], shape[..., None] + 1, tf.cast(rgb, tf.int32)]  # x, y; shape; RGB
    factors = tf.pad(tf.cast(tf.concat(known, axis=-1), tf.float32), [[0, 0], [1, 0], [0, 0]])  # [n, 4, 6]
    return Scenes(image, mask, tf.concat([factors, tf.ones_like(factors[..., :1])], axis=-1))


def _place(seed, shape):
    """Returns row and column of the top left corner of each piece: int32 [n, 3, 2]."""
    n = shape.shape[0]
    room = (SIZE + 1 - tf.gather(_EXTENT, shape))[:, None]  # [n, 1, 3, 2]
    blocks = BLOCK * tf.gather(_BLOCKS, shape)[:, None]  # [n, 1, 3, 4, 2]

    def retry(round_, placed, corner):
        tries = _integers(seed.fold(round_), (n, _TRIES, N_PIECES, 2), room)  # [n, T, 3, 2]
        free = ~_overlap(tries[..., None, :] + blocks)  # [n, T]
        chosen = tf.gather(tries, tf.argmax(free, axis=1), batch_dims=1)  # [n, 3, 2]
        corner = tf.where(placed[:, None, None], corner, chosen)
        return round_ + 1, placed | tf.reduce_any(free, axis=1), corner

    start = (0, tf.zeros([n], tf.bool), tf.zeros([n, N_PIECES, 2], tf.int32))
    return tf.while_loop(lambda _, placed, __: ~tf.reduce_all(placed), retry, start)[2]


def _integers(seed, shape, below):
    return tf.cast(seed.uniform(shape) * tf.cast(below, tf.float32), tf.int32)


def _overlap(blocks):
    """Whether any two pieces cover the same pixel: blocks int32 [n, T, 3, 4, 2] -> bool [n, T]."""
    hits = []
    for a, b in itertools.combinations(range(N_PIECES), 2):
        apart = tf.abs(blocks[:, :, a, :, None] - blocks[:, :, b, None])  # [n, T, 4, 4, 2]
        hits.append(tf.reduce_any(tf.reduce_max(apart, axis=-1) < BLOCK, axis=[2, 3]))
    return tf.reduce_any(tf.stack(hits), axis=0)


def _paint(blocks):
    """Paints blocks at int32 [n, 3, 4, 2]: which piece owns a pixel (0: none), and how bright it is."""
    n = blocks.shape[0]
    offsets = np.stack(np.mgrid[:BLOCK, :BLOCK], axis=-1)  # [5, 5, 2]
    pixels = blocks[:, :, :, None, None] + offsets.astype(np.int32)  # [n, 3, 4, 5, 5, 2]
    flat = tf.reduce_sum(pixels * [SIZE, 1], axis=-1) + SIZE * SIZE * tf.range(n)[:, None, None, None, None]
    owner = tf.broadcast_to(tf.range(1, N_PIECES + 1)[:, None, None, None], flat.shape)
    level = tf.broadcast_to(BEVEL, flat.shape)

    def paint(values):
        return tf.reshape(
            tf.scatter_nd(tf.reshape(flat, [-1, 1]), tf.reshape(values, [-1]), [n * SIZE * SIZE]),
            [n, SIZE, SIZE],
        )

    return paint(owner), paint(level)
