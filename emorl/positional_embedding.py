"""The position of a pixel, as its distances to the four borders of the image."""

from __future__ import annotations

import numpy as np


def positional_embedding(height: int, width: int) -> np.ndarray:
    """Linear ramps from and to each border.

    The first axis runs over the width and the second over the height, so only square grids can be added
    to feature maps; the weights of published checkpoints expect the channels in this order.

    Args:
        height: rows of the grid, at least 1.
        width: columns of the grid, at least 1.

    Returns:
        float32 [width, height, 4] in [0, 1]: 1 -> 0 and 0 -> 1 along the first axis, then 0 -> 1 and
        1 -> 0 along the second.
    """
    along_first = np.stack([_ramp(1, 0, width), _ramp(0, 1, width)], -1)[:, None]  # [width, 1, 2]
    along_second = np.stack([_ramp(0, 1, height), _ramp(1, 0, height)], -1)[None]  # [1, height, 2]
    shape = (width, height, 2)
    return np.concatenate(
        [np.broadcast_to(along_first, shape), np.broadcast_to(along_second, shape)], -1
    )  # [width, height, 4]


def _ramp(start, stop, n):
    return np.linspace(start, stop, n).astype(np.float32)  # [n]
