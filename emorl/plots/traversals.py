"""Pictures of latent traversals: one row per latent, one column per value."""

from __future__ import annotations

import math

import numpy as np

from emorl.evaluation.latents import Traversal
from emorl.plots.image_table import FULL_WIDTH, GAP, Block, below_each_other, image_table
from emorl.plots.slots import segmentation_picture

_NAME_WIDTH = 40  # approximately, of a latent's number and the gap before it
_HEAD = 128  # height up to which the pictures at the top are enlarged


def traversal_picture(moved: Traversal, slot: int) -> np.ndarray:
    """Draws the image, what the model infers from it, and each latent of one slot moved.

    Args:
        moved: The pictures.
        slot: Which slot moved.

    Returns:
        uint8 [height, width, 3].
    """
    head = image_table(
        [
            Block("input", moved.image[None, None]),
            Block("reconstruction", moved.reconstruction[None, None]),
            Block("segmentation", segmentation_picture(moved.masks)[None, None]),
            Block(f"mask of slot {slot}", moved.masks[slot][None, None]),
        ],
        zoom=max(1, _HEAD // moved.image.shape[0]),
    )
    z, n_steps, _, width, _ = moved.pictures.shape
    n_columns = max(1, min(4, FULL_WIDTH // (n_steps * (width + GAP) + _NAME_WIDTH)))
    n_rows = math.ceil(z / n_columns)
    columns = [
        image_table(
            [Block("latent", moved.pictures[first : first + n_rows])],
            [str(latent) for latent in range(first, min(z, first + n_rows))],
            zoom=1,
        )
        for first in range(0, z, n_rows)
    ]
    height = max(len(column) for column in columns)
    padded = [
        np.pad(c, [(0, height - len(c)), (0, 12 * (i < len(columns) - 1)), (0, 0)], constant_values=255)
        for i, c in enumerate(columns)
    ]
    return below_each_other([head, np.concatenate(padded, axis=1)])
