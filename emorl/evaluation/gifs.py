"""Animations of a slot's most active latents (E22: with Pillow, without hard-coded paths)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

FRAMES_PER_SECOND = 4
#: Smaller pictures are enlarged to at least this many pixels.
SMALLEST_SIDE = 128


def most_active(activeness: np.ndarray, n: int = 10) -> np.ndarray:
    """Returns the n latents that change images most, most active first: [N, z] -> int [min(n, z)]."""
    return np.argsort(activeness.mean(axis=0), kind="stable")[::-1][:n]


def write_gif(path: Path, pictures: np.ndarray) -> None:
    """Writes a looping GIF of pictures, float [n, H, W, 3] in [0, 1]."""
    zoom = max(1, -(-SMALLEST_SIDE // pictures.shape[1]))
    pixels = (
        np.round(255.0 * np.clip(pictures, 0.0, 1.0))
        .astype(np.uint8)
        .repeat(zoom, axis=1)
        .repeat(zoom, axis=2)
    )
    # One palette for all frames, so that static pixels do not flicker.
    palette = Image.fromarray(pixels.reshape([-1, *pixels.shape[2:]])).quantize(256)
    frames = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in pixels]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=1000 // FRAMES_PER_SECOND, loop=0, disposal=2
    )
