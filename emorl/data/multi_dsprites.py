"""Multi-dSprites, colored on gray: two to five squares, ellipses and hearts that may occlude each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from discovery import Seed
from emorl.data.generated import Scenes

SIZE = 64
N_SPRITES = (2, 5)  # fewest and most
SHAPES = ("square", "ellipse", "heart")  # dSprites' order; factor values 1, 2, 3

# dSprites' grids of factors.
SCALES = np.linspace(0.5, 1.0, 6, dtype=np.float32)
_ORIENTATIONS = np.linspace(0.0, 2 * math.pi, 40, dtype=np.float32)
_N_POSITIONS = 32

# Sizes at scale 1, in pixels of a canvas of 64, so that all shapes have about the same area, as in dSprites.
_HALF_SIDE = 9.0
_SEMI_AXES = (12.0, 8.0)
_HEART = 9.0


def multi_dsprites_scenes(
    seed: Seed,
    n: int,
    n_sprites: tuple[int, int] = N_SPRITES,
    scales: Sequence[float] = SCALES,
    values: tuple[float, float] = (0.5, 1.0),
    positions: tuple[float, float] = (0.0, 1.0),
    size: int = SIZE,
) -> Scenes:
    """Draws n scenes; sprites with a higher index are in front.

    Shape, scale, orientation and position are uniform on dSprites' grids (centers in the middle half of the
    canvas, so that no sprite is cut off), hue is uniform, saturation and value are uniform in [0.5, 1], the
    background's gray is uniform. The arguments after `n` say otherwise.

    Args:
        seed: The scenes depend only on it.
        n: Number of scenes.
        n_sprites: Fewest and most sprites of a scene.
        scales: To choose from.
        values: Smallest and largest value of a sprite's color (of hue, saturation and value).
        positions: Range of centers; 0 and 1 are a quarter of the canvas from its borders, -0.5 and 1.5 on
            them.
        size: Height and width of the images, on which the same sprites are drawn finer or coarser.

    Returns:
        Scenes of `size` x `size` pixels and an entity more than the most sprites; factors are x and y (0 to
        1), orientation (radians), scale, red, green and blue (0 to 1), shape (1 to 3) and visibility. Absent
        sprites have zeros everywhere; one that is completely occluded has an empty mask, but its factors.
    """
    fewest, most = n_sprites
    low, high = values
    grid = np.linspace(*positions, _N_POSITIONS, dtype=np.float32)
    shape = 1 + tf.cast(seed.fold(0).uniform((n, most)) * len(SHAPES), tf.int32)  # [n, S], S of the most
    scale = _one_of(np.array(scales, np.float32), seed.fold(1), (n, most))  # [n, S]
    orientation = _one_of(_ORIENTATIONS, seed.fold(2), (n, most))  # [n, S]
    x, y = _one_of(grid, seed.fold(3), (n, most)), _one_of(grid, seed.fold(4), (n, most))  # [n, S]
    hue, saturation, value = tf.unstack(seed.fold(5).uniform((n, most, 3)), axis=-1)  # [n, S]
    hsv = [hue, 0.5 + 0.5 * saturation, low + (high - low) * value]
    rgb = tf.image.hsv_to_rgb(tf.stack(hsv, axis=-1))  # [n, S, 3]
    gray = tf.tile(seed.fold(6).uniform((n, 1, 1)), [1, 1, 3])  # [n, 1, 3]
    count = fewest + tf.cast(seed.fold(7).uniform((n, 1)) * (most + 1 - fewest), tf.int32)  # [n, 1]
    there = tf.range(most) < count  # [n, S]

    covers = _silhouettes(shape, scale, orientation, x, y, size) & there[..., None, None]  # [n, S, H, W]
    index = tf.range(1, most + 1)[:, None, None]
    owner = tf.reduce_max(tf.where(covers, index, 0), axis=1)  # [n, H, W]
    colors = tf.cast(tf.round(255.0 * tf.concat([gray, rgb], axis=1)), tf.uint8)  # [n, S + 1, 3]
    image = tf.gather(colors, owner, batch_dims=1)  # [n, H, W, 3]
    mask = tf.cast(owner[:, None] == tf.range(most + 1)[:, None, None], tf.uint8)  # [n, S + 1, H, W]

    rest = [tf.cast(shape, tf.float32), tf.ones_like(x)]  # shape, visibility
    columns = [x, y, orientation, scale, *tf.unstack(rgb, axis=-1), *rest]  # 9 of [n, S]
    sprites = tf.stack(columns, axis=-1) * tf.cast(there, tf.float32)[..., None]  # [n, S, 9]
    background = tf.one_hot(tf.fill([n, 1], len(columns) - 1), len(columns))  # [n, 1, 9]: visibility alone
    return Scenes(image, mask, tf.concat([background, sprites], axis=1))


def _one_of(values, seed, shape):
    return tf.gather(values, tf.cast(seed.uniform(shape) * len(values), tf.int32))


def _silhouettes(shape, scale, orientation, x, y, size):
    """Returns which pixels each sprite would cover alone: bool [n, S, size, size]."""
    pixels = (np.arange(size, dtype=np.float32) + 0.5) * (SIZE / size)  # centers, on a canvas of 64
    right = pixels - (SIZE / 4 + SIZE / 2 * x)[..., None, None]  # [n, S, 1, W]
    down = pixels[:, None] - (SIZE / 4 + SIZE / 2 * y)[..., None, None]  # [n, S, H, 1]
    cos, sin = ((f(orientation) / scale)[..., None, None] for f in (tf.cos, tf.sin))
    u, v = cos * right + sin * down, cos * down - sin * right  # [n, S, H, W]: in the sprite's own frame
    square = tf.maximum(tf.abs(u), tf.abs(v)) < _HALF_SIDE
    ellipse = tf.square(u / _SEMI_AXES[0]) + tf.square(v / _SEMI_AXES[1]) < 1.0
    u2, up = tf.square(u / _HEART), -v / _HEART
    heart = (u2 + up * up - 1.0) ** 3 < u2 * up**3
    shape = shape[..., None, None]
    return tf.where(shape == 1, square, tf.where(shape == 2, ellipse, heart))
