"""Mask files: one PNG per scene, with a number or a color for each object."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from discovery import UserError
from discovery.image_files import middle_square, opened

MOST_OBJECTS = 100  # in a scene; more values are the shades of smoothed edges


def read_labels(path: Path, scene_size: tuple[int, int], size: int) -> np.ndarray:
    """Reads which object each pixel belongs to, cropped and resized (nearest pixel) like the scene.

    Gray and palette files hold numbers, 0 for the background; in color files, black is the background and
    every other color an object.

    Args:
        path: The file.
        scene_size: Width and height that it must have.
        size: Side of the result.

    Returns:
        uint8 [size, size]: 0 for the background, 1 to k for the k visible objects.

    Raises:
        UserError: The file is damaged, has another size, or holds something other than objects.
    """
    image = opened(path)
    if image.size != scene_size:
        sizes = ["{}x{}".format(*reversed(extent)) for extent in (image.size, scene_size)]
        raise UserError(f"{path}: a mask of {sizes[0]} pixels, but its scene has {sizes[1]}; make them alike")
    codes = _codes(middle_square(image), path)  # [side, side]
    pixel = (2 * np.arange(size) + 1) * len(codes) // (2 * size)  # [size], the center of each new pixel
    values, labels = np.unique(codes[np.ix_(pixel, pixel)], return_inverse=True)
    n_objects = np.count_nonzero(values)
    if n_objects > MOST_OBJECTS:
        raise UserError(
            f"{path}: holds {n_objects} values or colors besides the background, more than {MOST_OBJECTS} "
            "objects; give each object one of its own, without smoothed edges"
        )
    return (labels.reshape(size, size) + (values[0] > 0)).astype(np.uint8)


def _codes(image: Image.Image, path: Path) -> np.ndarray:
    """Returns a number for each pixel, 0 for the background: int [H, W]."""
    if image.mode == "P":
        return _indices(image, path)
    if image.mode in ("1", "L") or image.mode.startswith("I"):
        return np.asarray(image).astype(np.int64)
    red, green, blue, alpha = np.moveaxis(np.asarray(image.convert("RGBA")).astype(np.int64), -1, 0)
    return np.where(alpha > 0, (red << 16) + (green << 8) + blue, 0)  # transparent pixels are background


def _indices(image, path):
    indices = np.asarray(image).astype(np.int64)  # [H, W]
    colors = np.reshape(image.getpalette("RGB"), [-1, 3])
    black = [i for i in np.unique(indices) if i < len(colors) and not colors[i].any()]
    if black and colors[0].any():  # programs that reduce colors to a palette use any order
        raise UserError(
            f"{path}: its palette has black as number {black[0]} and another color as number 0, so the "
            "background is unclear; save it as gray numbers, or in color without a palette"
        )
    return indices
