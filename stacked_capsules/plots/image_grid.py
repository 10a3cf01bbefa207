"""Labeled grids of small images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT_SIZE = 12
GAP = 2
#: Maximum width, in pixels, up to which the tiles of a grid are enlarged.
FULL_WIDTH = 1600
#: Maximum number of tiles in a line of `wrapped_grid`.
MAX_COLUMNS = 18


def image_grid(
    tiles: np.ndarray,
    column_labels: Sequence[str] = (),
    row_labels: Sequence[str] = (),
    zoom: int | None = None,
) -> np.ndarray:
    """Draws images as a table on white.

    Args:
        tiles: float [R, N, H, W, C] in [0, 1], as `as_rgb` takes; others are clipped, NaN is drawn magenta.
        column_labels: what to write above each column.
        row_labels: what to write left of each row.
        zoom: pixels per pixel; by default up to 4, as fits a screen.

    Returns:
        uint8 [height, width, 3].
    """
    zoom = zoom or fitting_zoom(tiles.shape[1], tiles.shape[3])
    R, N, H, W, _ = tiles.shape
    pixels = as_pixels(tiles).repeat(zoom, axis=2).repeat(zoom, axis=3)  # [R, N, zH, zW, 3]
    pixels = np.pad(pixels, [(0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)], constant_values=255)
    height, width = zoom * H + GAP, zoom * W + GAP
    table = pixels.transpose(0, 2, 1, 3, 4).reshape(R * height, N * width, 3)
    top = max([0, *(text_size(label)[1] + 4 for label in column_labels)])
    left = max([0, *(text_size(label)[0] + 6 for label in row_labels)])
    picture = Image.fromarray(np.pad(table, [(top, 0), (left, 0), (0, 0)], constant_values=255))
    draw = ImageDraw.Draw(picture)
    for column, label in enumerate(column_labels):
        at = (left + column * width + (width - GAP) / 2, top - 2)
        draw.multiline_text(at, label, fill="black", font=font(), anchor="md", align="center")
    for row, label in enumerate(row_labels):
        at = (left - 4, top + row * height + (height - GAP) / 2)
        draw.multiline_text(at, label, fill="black", font=font(), anchor="rm", align="right")
    return np.asarray(picture)


def wrapped_grid(tiles: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Draws tiles [R, N, H, W, C] with a label each; long rows are broken into several lines."""
    if len(labels) <= MAX_COLUMNS:
        return image_grid(tiles, labels)
    n_columns = math.ceil(len(labels) / math.ceil(len(labels) / MAX_COLUMNS))
    lines = [slice(start, start + n_columns) for start in range(0, len(labels), n_columns)]
    zoom = fitting_zoom(n_columns, tiles.shape[3])
    rows = [
        stacked([image_grid(row[None, line], labels[line], zoom=zoom) for line in lines], gap=0)
        for row in tiles
    ]
    return stacked(rows)


def fitting_zoom(n_columns: int, tile_width: int) -> int:
    """Returns how far tiles can be enlarged so that a row of them fits a screen; from 1 to 4."""
    return int(np.clip(FULL_WIDTH // (n_columns * (tile_width + GAP)), 1, 4))


def as_pixels(image: np.ndarray) -> np.ndarray:
    """Turns floats [..., C] in [0, 1] into uint8 [..., 3]."""
    image = as_rgb(image)
    pixels = np.where(np.isnan(image), [1.0, 0.0, 1.0], image)
    return np.round(255.0 * np.clip(pixels, 0.0, 1.0)).astype(np.uint8)


def as_rgb(images: np.ndarray) -> np.ndarray:
    """Makes colors, [..., 3], of [..., C]: three channels stay; of others the mean is shown in gray."""
    gray = images if images.shape[-1] in (1, 3) else images.mean(-1, keepdims=True)
    return np.broadcast_to(gray, (*images.shape[:-1], 3))


def with_bars(tiles: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Adds a yellow bar below each tile, whose length is its value.

    Args:
        tiles: [R, N, H, W, C] in [0, 1].
        values: [R, N] in [0, 1].

    Returns:
        [R, N, H + h, W, 3].
    """
    H, W = tiles.shape[2:4]
    filled = np.arange(W) < np.round(np.clip(np.nan_to_num(values), 0.0, 1.0) * W)[..., None]  # [R, N, W]
    bars = np.where(filled[..., None], [1.0, 0.8, 0.1], 0.3)  # [R, N, W, 3]
    bars = np.repeat(bars[:, :, None], max(2, H // 14), axis=2)  # [R, N, h, W, 3]
    line = np.ones_like(bars[:, :, :1])
    return np.concatenate([as_rgb(tiles), line, bars], axis=2)


def stacked(pictures: Sequence[np.ndarray], gap: int = 12) -> np.ndarray:
    """Stacks pictures, uint8 [height, width, 3], vertically on white."""
    width = max(picture.shape[1] for picture in pictures)
    padded = [np.pad(p, [(0, gap), (0, width - p.shape[1]), (0, 0)], constant_values=255) for p in pictures]
    picture = np.concatenate(padded, axis=0)
    return picture[: len(picture) - gap]


def font() -> ImageFont.FreeTypeFont:
    """Returns the font of all labels."""
    return ImageFont.load_default(FONT_SIZE)


def text_size(text: str) -> tuple[int, int]:
    """Returns width and height of a label, which may have several lines."""
    box = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font=font())
    return int(box[2]), int(box[3])
