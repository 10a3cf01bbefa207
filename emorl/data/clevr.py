"""CLEVR: the square crop, the original's two sizes (E25), and the number of objects in a scene."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from discovery import UserError
from emorl.bicubic import bicubic_resize
from emorl.data.config import STYLES

RAW_SIZE = (240, 320)
CROPPED = 192
_TOP, _LEFT = 29, 64


def crop_and_resize(images: tf.Tensor, style: str) -> tf.Tensor:
    """Crops and downsizes: uint8 [B, 240, 320, 3] -> [B, side, side, 3]."""
    return bicubic_resize(_crop(images, 1), (STYLES[style], STYLES[style]))


def crop_masks(masks: tf.Tensor) -> tf.Tensor:
    """Crops without resizing: uint8 [B, E, 240, 320] -> [B, E, 192, 192]."""
    return _crop(masks, 2)


def check_raw_size(height: int, width: int, where: str) -> None:
    """Raises `UserError` for images that cannot be cropped."""
    if (height, width) != RAW_SIZE:
        raise UserError(
            f"{where}: images of {height}x{width} pixels cannot be cropped like CLEVR's 240x320; "
            "give a CLEVR file, or --clevr_preprocess_style= (empty) for images that are already square."
        )


def object_count(visibility: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
    """Objects per scene: visibility [..., E] -> [...], without entity 0, the background."""
    return tf.reduce_sum(visibility[..., 1:], axis=-1)


def _crop(values, axis):
    rows = tf.gather(values, tf.range(_TOP, _TOP + CROPPED), axis=axis)
    return tf.gather(rows, tf.range(_LEFT, _LEFT + CROPPED), axis=axis + 1)
