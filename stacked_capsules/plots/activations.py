"""Capsule activations as colored grids."""

from __future__ import annotations

import math

import matplotlib
import numpy as np


def activation_image(activations: np.ndarray, size: int) -> np.ndarray:
    """Draws activations as the cells of a square grid, from dark blue (0) to yellow (1), NaN white.

    Args:
        activations: [..., N] in [0, 1]; cell i is in row i // n, n the smallest side that N cells fit in.
        size: side of the image in pixels; at least n for all cells to be visible.

    Returns:
        float [..., size, size, 3] in [0, 1]; unused cells and, where there is room, seams are white.
    """
    N = activations.shape[-1]
    side = math.ceil(math.sqrt(N))
    colors = viridis(activations)  # [..., N, 3]
    empty = np.ones((*colors.shape[:-2], side * side - N, 3))
    cells = np.concatenate([colors, empty], axis=-2).reshape(*colors.shape[:-2], side, side, 3)
    cell_size = size / side
    cell = np.minimum((np.arange(size) / cell_size).astype(int), side - 1)  # [size], the cell of each pixel
    image = cells[..., cell[:, None], cell[None, :], :]  # [..., size, size, 3]
    if cell_size >= 3:
        seam = np.append(cell[1:] != cell[:-1], False)  # [size], last pixel of each cell but the last
        image[..., seam, :, :] = 1.0
        image[..., :, seam, :] = 1.0
    return image


def viridis(values: np.ndarray) -> np.ndarray:
    """Colors values in [0, 1]: [...] -> [..., 3]; NaN is white."""
    colors = matplotlib.colormaps["viridis"](np.clip(np.nan_to_num(values), 0.0, 1.0))[..., :3]
    return np.where(np.isnan(values)[..., None], 1.0, colors)


def viridis_swatches(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draws a rectangle in the color of each value: [N] -> [N, height, width, 3]."""
    return np.broadcast_to(viridis(values)[:, None, None], (len(values), height, width, 3))
