"""Pictures of scenes: images of a data set, and their segmentations."""

from __future__ import annotations

import numpy as np

from emorl.plots.image_table import Block, image_table
from emorl.plots.segmentation_colors import segmentation_colors

_WIDTH = 96  # maximum width of a tile with enlarged pixels


def scenes_picture(images: np.ndarray, masks: np.ndarray | None = None) -> np.ndarray:
    """Draws scenes side by side, each above its true segmentation if there is one.

    Args:
        images: uint8 [N, H, W, C], C of 1 or 3.
        masks: [N, E, H, W], 1 where entity e is; entity 0 is the background.

    Returns:
        uint8 [height, width, 3].
    """
    zoom = max(1, _WIDTH // images.shape[2])
    if masks is None:
        return image_table([Block("", images[None] / 255.0)], ["images"], zoom)
    colors = segmentation_colors(np.argmax(masks, axis=1), background=True)  # [N, H, W, 3]
    rows = np.stack([images / 255.0, colors])  # [2, N, H, W, 3]
    return image_table([Block("", rows)], ["scenes", "masks"], zoom)
