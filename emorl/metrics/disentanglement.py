"""Ranges of latents, where to move them for plots, and how much the image changes with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from discovery import UserError


def latent_ranges(slots: np.ndarray) -> np.ndarray:
    """Returns the smallest and largest value of each latent over all slots: float [..., z] -> [z, 2]."""
    flat = np.reshape(slots, [-1, np.shape(slots)[-1]])
    return np.stack([flat.min(axis=0), flat.max(axis=0)], axis=1)


def sweep_values(ranges: np.ndarray, n_steps: int = 6) -> np.ndarray:
    """Returns evenly spaced values over the whole range, for activeness: [z, 2] -> [z, n_steps]."""
    return np.linspace(ranges[:, 0], ranges[:, 1], n_steps, axis=1)


def traversal_values(ranges: np.ndarray, n_steps: int = 8, as_run: bool = False) -> np.ndarray:
    """Returns evenly spaced values around the middle of the range, for plots: [z, 2] -> [z, n_steps].

    They extend sqrt(distance from the middle to the end) to either side, as in the original.

    Args:
        ranges: Smallest and largest value of each latent.
        n_steps: Number of values.
        as_run: Use the original's midpoint, (largest - smallest) / 2, instead of the middle (E4).
    """
    low, high = ranges[:, 0], ranges[:, 1]
    middle = (high - low) / 2 if as_run else (high + low) / 2
    return np.linspace(
        middle - np.sqrt(np.abs(middle - low)), middle + np.sqrt(np.abs(high - middle)), n_steps, axis=1
    )


def traverse(slots: np.ndarray, slot: int, values: np.ndarray) -> np.ndarray:
    """Sets the latents of one slot, one after the other, to each of their values.

    Args:
        slots: float [K, z] of one image.
        slot: Which slot moves.
        values: [z, n_steps].

    Returns:
        float [z, n_steps, K, z], to be decoded.
    """
    z, n_steps = values.shape
    moved = np.tile(slots, [z, n_steps, 1, 1])
    moved[np.arange(z), :, slot, np.arange(z)] = values
    return moved


def activeness(pictures: np.ndarray) -> np.ndarray:
    """Returns the mean over pixels of the variance over steps: [..., n_steps, H, W, C] -> [...]."""
    return np.var(pictures, axis=-4, ddof=1).mean(axis=(-3, -2, -1))


def write_ranges(path: Path, ranges: np.ndarray) -> None:
    """Writes one "smallest,largest" per latent; overwrites the file (the original appends, E5)."""
    path.write_text("".join(f"{low},{high}\n" for low, high in ranges.tolist()))


def read_ranges(path: Path, z_size: int) -> np.ndarray:
    """Reads what `write_ranges` wrote: float64 [z, 2].

    Raises:
        UserError: The file is missing, or belongs to another model.
    """
    try:
        ranges = np.array([line.split(",") for line in path.read_text().split()], np.float64)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read ({error}); run --eval_type=disentanglement_preprocessing first."
        ) from error
    if ranges.shape != (z_size, 2):
        raise UserError(
            f"{path}: ranges of {len(ranges)} latents, but the model has {z_size}; "
            "run --eval_type=disentanglement_preprocessing again."
        )
    return ranges
