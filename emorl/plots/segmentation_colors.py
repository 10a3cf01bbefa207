"""Segmentations as pictures, with a color for each group."""

from __future__ import annotations

import colorsys

import numpy as np

_GOLDEN_RATIO = 0.618033988749895


def segmentation_colors(labels: np.ndarray, background: bool = False) -> np.ndarray:
    """Colors labels.

    Args:
        labels: int [..., H, W].
        background: Whether group 0 is black.

    Returns:
        float32 [..., H, W, 3] in [0, 1]; neighboring numbers have distant hues.
    """
    hues = (np.arange(int(labels.max()) + 1) * _GOLDEN_RATIO) % 1.0
    colors = np.array([colorsys.hsv_to_rgb(hue, 0.65, 0.95) for hue in hues], np.float32)
    if background:
        colors[0] = 0.0
    return colors[labels]
