"""Tables of small images: blocks with a title, rows with a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 2  # pixels between tiles
FONT_SIZE = 12
#: Maximum width of a table, in pixels, up to which blocks are side by side and tiles are enlarged.
FULL_WIDTH = 1900

_BLOCK_GAP = 14
_GAP_GRAY = 205  # so that the edge of a white tile is visible
_TOP = FONT_SIZE + 8  # for a block's title


class Block(NamedTuple):
    """Columns of a table that belong together.

    Attributes:
        title: The text above them.
        tiles: float [R, N, H, W, C] in [0, 1], C of 1 or 3; values outside are clipped. A tile of NaN is left
            out.
    """

    title: str
    tiles: np.ndarray


def image_table(
    blocks: Sequence[Block], row_names: Sequence[str] = (), zoom: int | None = None
) -> np.ndarray:
    """Draws blocks of the same rows on white, side by side, on several lines if one would be too wide.

    Args:
        blocks: What to draw.
        row_names: What to write left of each row.
        zoom: Pixels per pixel; by default up to 4, as fits a screen.

    Returns:
        uint8 [height, width, 3].
    """
    left = max([0, *(text_width(name) + 10 for name in row_names)])
    lines = _broken(blocks, FULL_WIDTH - left)
    zoom = zoom or int(np.clip((FULL_WIDTH - left) // max(_line_width(line) for line in lines), 1, 4))
    return below_each_other([_draw_line(line, row_names, left, zoom) for line in lines])


def below_each_other(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks pictures, uint8 [height, width, 3], vertically on white."""
    width = max(picture.shape[1] for picture in pictures)
    padded = [
        np.pad(
            p,
            [(0, _BLOCK_GAP * (i < len(pictures) - 1)), (0, width - p.shape[1]), (0, 0)],
            constant_values=255,
        )
        for i, p in enumerate(pictures)
    ]
    return np.concatenate(padded, axis=0)


def as_pixels(image: np.ndarray) -> np.ndarray:
    """Turns floats [..., C] in [0, 1], with C of 1 or 3, into uint8 [..., 3]; NaN becomes magenta."""
    image = np.broadcast_to(image, (*image.shape[:-1], 3))
    image = np.where(np.isnan(image), np.array([1.0, 0.0, 1.0]), image)
    return np.round(255.0 * np.clip(image, 0.0, 1.0)).astype(np.uint8)


def text_width(text: str) -> int:
    """Returns the width of a label in pixels."""
    return int(_font().getlength(text))


def _broken(blocks, room):
    """Fills lines with blocks, one after the other."""
    lines = [[]]
    for block in blocks:
        if lines[-1] and _line_width([*lines[-1], block]) > room:
            lines.append([])
        lines[-1].append(block)
    return lines


def _line_width(blocks):
    return sum(_width(block, 1) for block in blocks) + _BLOCK_GAP * (len(blocks) - 1)


def _draw_line(blocks, row_names, left, zoom):
    pictures = [_draw(block, zoom) for block in blocks]
    names = Image.new("RGB", (left, len(pictures[0])), "white")
    row_height = zoom * blocks[0].tiles.shape[2] + GAP
    for row, name in enumerate(row_names):
        at = (left - 6, _TOP + row * row_height + (row_height - GAP) / 2)
        ImageDraw.Draw(names).text(at, name, fill="black", font=_font(), anchor="rm")
    gap = np.full((len(pictures[0]), _BLOCK_GAP, 3), 255, np.uint8)
    parts = [np.asarray(names)] if row_names else []
    for i, picture in enumerate(pictures):
        parts += [gap, picture] if i else [picture]
    return np.concatenate(parts, axis=1)


def _width(block, zoom):
    """Returns the width of a block's picture: of its tiles, or of its title if that is wider."""
    return max(block.tiles.shape[1] * (zoom * block.tiles.shape[3] + GAP), text_width(block.title))


def _draw(block, zoom):
    R, N, H, W, _ = block.tiles.shape
    pixels = as_pixels(block.tiles).repeat(zoom, axis=2).repeat(zoom, axis=3)  # [R, N, zH, zW, 3]
    pixels = np.pad(pixels, [(0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)], constant_values=_GAP_GRAY)
    pixels[np.isnan(block.tiles).all(axis=(2, 3, 4))] = 255
    table = pixels.transpose(0, 2, 1, 3, 4).reshape(R * (zoom * H + GAP), N * (zoom * W + GAP), 3)
    missing = _width(block, zoom) - table.shape[1]
    picture = Image.fromarray(np.pad(table, [(_TOP, 0), (0, missing), (0, 0)], constant_values=255))
    ImageDraw.Draw(picture).text((0, _TOP - 4), block.title, fill="black", font=_font(), anchor="ls")
    return np.asarray(picture)


def _font():
    return ImageFont.load_default(FONT_SIZE)
