"""Tetrominoes: three on black, drawn pixel for pixel as in DeepMind's Multi-Object Datasets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

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
_EDGES = BEVEL[np.ix_([0, 1, 4], [0, 1, 4])]  # [3, 3]: first, middle and last row and column of any block

# Row and column of each block, in blocks: int32 [17, 4, 2]; height and width, in blocks: [17, 2].
_BLOCKS = np.array([np.argwhere([[c == "#" for c in row] for row in s.split("/")]) for s in SHAPES], np.int32)
_EXTENT = _BLOCKS.max(axis=1) + 1
_FILLED = np.zeros([len(SHAPES), 6, 6], bool)  # which of 4x4 blocks a shape has, within a border of none
_FILLED[np.arange(len(SHAPES))[:, None], *np.moveaxis(_BLOCKS + 1, -1, 0)] = True

_TRIES = 32  # arrangements drawn at a time: about one in five has no overlap


def tetromino_scenes(
    seed: Seed,
    n: int,
    n_pieces: int = N_PIECES,
    blocks: Sequence[int] = (BLOCK,),
    colors: Sequence[Sequence[float]] = COLORS,
    overlap: bool = False,
    cut: bool = False,
) -> Scenes:
    """Draws n scenes of tetrominoes; without more arguments, of those of the published data set.

    Shapes, colors and sizes are independent and uniform; positions are uniform over the arrangements in which
    all pieces lie wholly inside and none overlap (they may touch), or in which, as `overlap` and `cut` say,
    some do not. A piece of a higher index lies in front.

    Args:
        seed: The scenes depend only on it.
        n: Number of scenes.
        n_pieces: Pieces of a scene, two or more.
        blocks: Sides of a piece's blocks, in pixels, to choose from.
        colors: Shares of red, green and blue in [0, 1] to choose from.
        overlap: Whether in every scene some pieces overlap.
        cut: Whether in every scene the border cuts some piece, none by more than half of its pixels.

    Returns:
        Scenes of 35x35 pixels and `n_pieces` + 1 entities; factors are x and y of the top left corner of a
        piece's bounding box in pixels (negative where it is cut there), its shape (1 to 17: position in
        `SHAPES`), red, green and blue, and visibility. A piece that is fully occluded has an empty mask,
        but its factors.
    """
    shape = _integers(seed.fold(0), (n, n_pieces), len(SHAPES))  # [n, P]
    color = _integers(seed.fold(1), (n, n_pieces), len(colors))  # [n, P]
    block = tf.gather(tf.constant(blocks), _integers(seed.fold(3), (n, n_pieces), len(blocks)))  # [n, P]
    corner = _place(seed.fold(2), shape, block, overlap, cut)  # [n, P, 2]
    return draw_tetrominoes(shape, color, corner, block, colors)


def draw_tetrominoes(
    shape: tf.Tensor,
    color: tf.Tensor,
    corner: tf.Tensor,
    block: tf.Tensor | int = BLOCK,
    colors: Sequence[Sequence[float]] = COLORS,
) -> Scenes:
    """Draws scenes of given pieces.

    Args:
        shape: int32 [n, P], places in `SHAPES`.
        color: int32 [n, P], places in `colors`.
        corner: int32 [n, P, 2], row and column of the top left corner of each bounding box.
        block: int32 [n, P], the side of each piece's blocks, in pixels, or one for all.
        colors: Shares of red, green and blue in [0, 1], [C, 3].
    """
    rgb = tf.gather(np.array(colors, np.float32), color)  # [n, P, 3]
    owner, level = _paint(shape, corner, tf.broadcast_to(block, shape.shape))  # both [n, 35, 35]
    on = tf.gather(tf.pad(rgb, [[0, 0], [1, 0], [0, 0]]), owner, batch_dims=1)  # [n, 35, 35, 3]
    image = tf.cast(tf.round(tf.cast(level, tf.float32)[..., None] * on), tf.uint8)  # [n, 35, 35, 3]
    entities = tf.range(shape.shape[1] + 1)[:, None, None]
    mask = tf.cast(owner[:, None] == entities, tf.uint8)  # [n, P + 1, 35, 35]
    known = tf.concat([corner[..., ::-1], shape[..., None] + 1], axis=-1)  # x, y, shape
    factors = tf.concat([tf.cast(known, tf.float32), rgb], axis=-1)  # [n, P, 6]
    factors = tf.pad(factors, [[0, 0], [1, 0], [0, 0]])  # [n, P + 1, 6]
    return Scenes(image, mask, tf.concat([factors, tf.ones_like(factors[..., :1])], axis=-1))


def _place(seed, shape, block, overlap, cut):
    """Row and column of the top left corner of each piece: int32 [n, P, 2]."""
    n, n_pieces = shape.shape
    extent = block[..., None] * tf.gather(_EXTENT, shape)  # [n, P, 2], in pixels
    beyond = extent // 2 if cut else tf.zeros_like(extent)  # how far a piece may reach over the border
    room = (SIZE + 1 - extent + 2 * beyond)[:, None]  # [n, 1, P, 2]
    blocks = (block[..., None, None] * tf.gather(_BLOCKS, shape))[:, None]  # [n, 1, P, 4, 2]

    def retry(round_, placed, corner):
        tries = _integers(seed.fold(round_), (n, _TRIES, n_pieces, 2), room) - beyond[:, None]  # [n, T, P, 2]
        moved = tries[..., None, :] + blocks  # [n, T, P, 4, 2]
        good = _overlap(moved, block) == overlap  # [n, T]
        if cut:
            good &= _is_cut(moved, block)
        chosen = tf.gather(tries, tf.argmax(good, axis=1), batch_dims=1)  # [n, P, 2]
        corner = tf.where(placed[:, None, None], corner, chosen)
        return round_ + 1, placed | tf.reduce_any(good, axis=1), corner

    start = (0, tf.zeros([n], tf.bool), tf.zeros([n, n_pieces, 2], tf.int32))
    return tf.while_loop(lambda _, placed, __: ~tf.reduce_all(placed), retry, start)[2]


def _integers(seed, shape, below):
    return tf.cast(seed.uniform(shape) * tf.cast(below, tf.float32), tf.int32)


def _overlap(blocks, side):
    """Whether any two of the pieces cover a pixel both: [n, T, P, 4, 2] and [n, P] -> bool [n, T]."""
    hits = []
    for a, b in itertools.combinations(range(side.shape[1]), 2):
        apart = blocks[:, :, b, None] - blocks[:, :, a, :, None]  # [n, T, 4, 4, 2]
        side_a, side_b = (side[:, i, None, None, None, None] for i in (a, b))
        hits.append(tf.reduce_any(tf.reduce_all((apart < side_a) & (-apart < side_b), axis=-1), axis=[2, 3]))
    return tf.reduce_any(tf.stack(hits), axis=0)


def _is_cut(blocks, side):
    """Whether the border cuts a piece, and none by more than half: as `_overlap`, bool [n, T]."""
    side = side[:, None, :, None, None]  # [n, 1, P, 1, 1]
    seen = tf.maximum(tf.minimum(blocks + side, SIZE) - tf.maximum(blocks, 0), 0)  # [n, T, P, 4, 2]
    seen = tf.reduce_sum(tf.reduce_prod(seen, axis=-1), axis=-1)  # [n, T, P], pixels
    whole = 4 * side[..., 0, 0] ** 2  # [n, 1, P]
    return tf.reduce_any(seen < whole, axis=-1) & tf.reduce_all(2 * seen >= whole, axis=-1)


def _paint(shape, corner, block):
    """Paints pieces: which one owns a pixel (0: none), int32, and how bright it is, uint8; [n, 35, 35]."""
    block, n_pieces = block[..., None], shape.shape[1]  # [n, P, 1]
    rows, columns = (tf.range(SIZE) - corner[..., axis, None] for axis in (0, 1))  # [n, P, 35], from corner

    def cell(pixels):
        return tf.clip_by_value(pixels // block, -1, 4) + 1  # [n, P, 35]: which block, -1 and 4 outside

    def edge(pixels):
        place = pixels % block  # [n, P, 35]: in its block
        return tf.where(place == 0, 0, tf.where(place == block - 1, 2, 1))

    at = 36 * shape[..., None, None] + 6 * cell(rows)[..., None] + cell(columns)[..., None, :]
    covers = tf.gather(_FILLED.ravel(), at)  # [n, P, 35, 35]
    level = tf.gather(_EDGES.ravel(), 3 * edge(rows)[..., None] + edge(columns)[..., None, :])
    index = tf.range(1, n_pieces + 1)[:, None, None]  # [P, 1, 1]
    owner = tf.reduce_max(tf.where(covers, index, 0), axis=1)  # [n, 35, 35]
    seen = tf.where(owner[:, None] == index, level, tf.zeros_like(level))  # [n, P, 35, 35]
    return owner, tf.reduce_sum(seen, axis=1)
