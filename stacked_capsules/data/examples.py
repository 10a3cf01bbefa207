"""A set of labeled images in memory, and its validation."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from discovery import UserError
from discovery.image_files import check_not_black
from stacked_capsules.data.config import DataConfig

#: {"image": uint8 or float [N, H, W, C], "label": int64 [N], "labeled": int64 [N]}, the last two optional.
Examples = dict[str, np.ndarray]


class ImageSets(NamedTuple):
    """The sets of a data set.

    Attributes:
        train: the training set.
        valid: the validation set.
        train_from: where the training set comes from, in words.
        valid_from: where the validation set comes from.
        files: which files were read.
    """

    train: Examples
    valid: Examples
    train_from: str
    valid_from: str
    files: tuple[Path, ...] = ()


_NEGATIVE_LABELS = ", or leave out examples without a class: classes are numbered from 0"


def check(examples: Examples, where: str, config: DataConfig) -> None:
    """Raises a UserError that begins with `where` unless a model with these options can learn from it."""
    images = examples["image"]  # [N, H, W, C]
    if images.ndim != 4 or not len(images):
        raise UserError(f"{where}: images have shape {images.shape}; expected [N, H, W, C] with N > 0")
    _, height, width, channels = images.shape
    if channels != config.n_channels and images.shape[1] in (1, 2, 3, 4) and channels not in (1, 2, 3, 4):
        raise UserError(
            f"{where}: images have shape {images.shape}, channels first; store channels last, "
            "images.transpose(0, 2, 3, 1)"
        )
    if channels != config.n_channels:
        raise UserError(f"{where}: images have {channels} channels; set --n_channels={channels}")
    if config.canvas_size < max(height, width):
        raise UserError(
            f"{where}: images of {height}x{width} pixels do not fit --canvas_size={config.canvas_size}; "
            f"set it to {max(height, width)} or more"
        )
    if images.dtype != np.uint8:
        _check_floats(images, where)
    for name, end in (("label", config.n_classes), ("labeled", 2)):
        if name in examples:
            check_integers(examples[name], f"{where}, {name}", len(images), end)
    if images.dtype == np.uint8:
        check_not_black(images, where)


def _check_floats(images, where):
    if not np.issubdtype(images.dtype, np.floating):
        raise UserError(
            f"{where}: images are {images.dtype}; expected uint8, or floats in [0, 1]: "
            "images.astype(np.uint8) of values from 0 to 255"
        )
    bad = ~np.isfinite(images).reshape(len(images), -1).all(axis=1)  # [N]
    if bad.any():
        raise UserError(
            f"{where}: {bad.sum()} of {len(images)} images hold NaN or infinite values, the first at index "
            f"{bad.argmax()}; remove or fix them"
        )
    if images.min() < 0.0 or images.max() > 1.0:
        raise UserError(
            f"{where}: image values range from {images.min():g} to {images.max():g}; scale floats to [0, 1], "
            "or store uint8"
        )


def as_column(values: np.ndarray) -> np.ndarray:
    """Returns labels [N], given [N] or, as some programs store them, [N, 1]; other shapes as is."""
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def check_integers(values: np.ndarray, where: str, n: int, end: int | None = None) -> None:
    """Raises a UserError that begins with `where` unless these are n integers, 0 or more and below `end`."""
    if values.dtype.kind in "USO" and values.size:
        raise UserError(
            f"{where}: is text, such as {values.ravel()[:1].item()!r}; number the classes from 0: "
            "np.unique(labels, return_inverse=True)[1]"
        )
    if values.shape != (n,) or not np.issubdtype(values.dtype, np.integer):
        advice = ""
        if values.dtype.kind == "f" and values.size:
            whole = values == np.rint(values)  # false where it is NaN
            advice = (
                f"; {values[~whole][0]:g} is no class"
                if not whole.all()
                else "; store labels.astype(np.int64)"
            )
        raise UserError(
            f"{where}: {values.dtype} {values.shape}; expected one integer for each of {n} images{advice}"
        )
    low, high = values.min(), values.max()
    if low >= 0 and (end is None or high < end):
        return
    expected = "0 or more" if end is None else f"0 to {end - 1}"
    hint = "correct them"
    if where.endswith("label"):
        hint += f" or set --n_classes={high + 1}" if low >= 0 else _NEGATIVE_LABELS
    raise UserError(f"{where}: values from {low} to {high}, expected {expected}; {hint}")
