"""Images turned, scaled or moved as affNIST's are: data that a model has not been trained on."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from discovery import Seed, UserError
from stacked_capsules.resampler import resample

#: affNIST's ranges: degrees to either side, and factors of height and width.
MAX_DEGREES, SCALES = 20.0, (0.8, 1.2)
_AT_ONCE = 1000  # images


def shifted(images: np.ndarray, variant: str, seed: Seed) -> np.ndarray:
    """Shifts each image by a draw of its own.

    Ranges are those of affNIST (Tieleman, 2013), which has all shifts together, on a larger canvas:

    - "rotation": by up to 20 degrees either way, about the image's center;
    - "scale": height and width by 0.8 to 1.2 each, from the center;
    - "translation": by whole pixels, as far as the canvas allows: nothing but zeros leaves it.

    Args:
        images: uint8 in 0..255, or floats in [0, 1], [N, H, W, C].
        variant: One of `config.VARIANTS`.
        seed: The draws depend on it alone, and on N.

    Returns:
        As `images`; pixels from beyond the border are zero.

    Raises:
        UserError: no image has room to be moved.
    """
    n = len(images)
    degrees, scale, offset = np.zeros(n), np.ones([n, 2]), np.zeros([n, 2])
    if variant == "rotation":
        degrees = seed.uniform((n,), -MAX_DEGREES, MAX_DEGREES).numpy()  # [N]
    elif variant == "scale":
        scale = seed.uniform((n, 2), *SCALES).numpy()  # [N, 2]
    else:
        low, high = room(images)  # [N, 2] each
        if (low == high).all():
            raise UserError(
                "--variant=translation: all images reach all borders, so that none can be moved; choose "
                "rotation or scale"
            )
        offset = low + np.floor(seed.uniform((n, 2)).numpy() * (high - low + 1))  # [N, 2]
    return affine(images, degrees, scale, offset)


def affine(images: np.ndarray, degrees: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Scales images about their centers, turns and then moves them; bilinear.

    Args:
        images: uint8 in 0..255, or floats in [0, 1], [N, H, W, C].
        degrees: [N], counterclockwise.
        scale: [N, 2], of height and width.
        offset: [N, 2], rows down and columns to the right.

    Returns:
        As `images`; pixels from beyond the border are zero.
    """
    height, width = images.shape[1:3]
    center = np.array([height - 1, width - 1], np.float32) / 2
    grid = np.stack(np.mgrid[:height, :width], axis=-1).reshape(-1, 2).astype(np.float32)  # [H * W, 2]
    angle = np.asarray(degrees, np.float32)[:, None] * (math.pi / 180)  # [N, 1]
    down, right = np.moveaxis(grid - center - np.asarray(offset, np.float32)[:, None], -1, 0)  # [N, H * W]
    scale = np.asarray(scale, np.float32)[:, None]  # [N, 1, 2]
    rows = (np.cos(angle) * down + np.sin(angle) * right) / scale[..., 0] + center[0]  # [N, H * W], of source
    columns = (np.cos(angle) * right - np.sin(angle) * down) / scale[..., 1] + center[1]  # [N, H * W]
    parts = []
    with tf.device("CPU:0"):
        for first in range(0, len(images), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            source = tf.cast(images[part], tf.float32)
            samples = resample(source, tf.constant(columns[part]), tf.constant(rows[part]))  # [n, H * W, C]
            parts.append(samples.numpy().reshape(images[part].shape))
    moved = np.concatenate(parts)  # [N, H, W, C]
    return np.rint(moved).astype(np.uint8) if images.dtype == np.uint8 else moved.astype(images.dtype)


def room(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest and largest offsets, rows and columns, that keep what is not zero: [N, 2] each."""
    low, high = [], []
    for across in (2, 1):  # which of the image's axes to look along: rows, then columns
        filled = images.any(axis=(across, 3))  # [N, H] or [N, W]
        filled[~filled.any(axis=1)] = True  # an empty image stays where it is
        low.append(-filled.argmax(axis=1))
        high.append(filled[:, ::-1].argmax(axis=1))
    return np.stack(low, axis=1), np.stack(high, axis=1)
