"""The original's HDF5 files: {train,val,test}/ with imgs [n,H,W,3], masks [n,E,H,W,1] and factors [n,E,F]."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import tensorflow as tf

from discovery import UserError
from discovery.image_files import check_not_black
from emorl.data.clevr import object_count
from emorl.data.masks import check_partition
from emorl.data.stored import Rows

SIGNATURE = b"\x89HDF\r\n\x1a\n"

_WINDOW_BYTES = 64 * 2**20  # read, shuffled and held at a time
_MIN_RUNS = 8  # in a window, so that batches are mixed
_MOST_PER_BYTE = 1100  # bytes that one byte of a file can encode: deflate's best is 1032
_PROBED = 64  # scenes at each end that are read when the file is opened


class Wanted(NamedTuple):
    """What to read from a file.

    Attributes:
        masks: Whether to read masks.
        factors: Whether to read factors.
        max_objects: Skip scenes with more objects; None: keep all.
        check_masks: Whether to refuse masks that are not a partition.
    """

    masks: bool
    factors: bool
    max_objects: int | None = None
    check_masks: bool = True


def h5_rows(path: Path, group_names: tuple[str, ...], wanted: Wanted) -> Rows:
    """Returns the scenes of the first of `group_names` that the file has.

    Args:
        path: The file.
        group_names: "train", "val", "test": the groups to look for, in this order.
        wanted: What to read.

    Returns:
        Rows of "image" uint8 [n, H, W, 3], and, if wanted, "mask" uint8 [n, E, H, W] as stored and
        "factors" float32 [n, E, F].

    Raises:
        UserError: The file is damaged, has another layout, or lacks what is wanted.
    """
    try:
        with h5py.File(path, "r") as file:
            name = next((g for g in group_names if g in file), None)
            if name is None:
                raise UserError(f"{path}: has no group {' or '.join(group_names)}, but {sorted(file)}.")
            members = _members(file[name], f"{path}, {name}", wanted)
            _check_sizes(file[name], path)
            kept = _kept(file[name], members, f"{path}, {name}", wanted.max_objects)
            row_bytes = sum(v.nbytes // len(v) for v in members.values())
            run = max((v.chunks[0] if v.chunks else 1) for v in members.values())
            _probe(members, kept, f"{path}, {name}", wanted.check_masks)
            signature = {k: _spec(k, v) for k, v in members.items()}
    except UserError:
        raise
    except Exception as error:  # h5py raises many kinds of errors for damaged files
        raise UserError(f"{path}: {_what_is_wrong(error)}") from error
    window = max(_WINDOW_BYTES // row_bytes, 1)
    run = max(min(max(run, 16), window // _MIN_RUNS), 1)
    return Rows(
        n=len(kept),
        open=lambda: _reader(path, name, tuple(members), kept),
        signature=signature,
        run=run,
        window=window,
        place=f"in {path}, {name}",
    )


def has_masks(path: Path, group_names: tuple[str, ...]) -> bool:
    """Whether the first of `group_names` in a file has masks; assumed of a file that cannot be read."""
    try:
        with h5py.File(path, "r") as file:
            name = next((g for g in group_names if g in file), None)
            return name is None or _STORED["mask"] in file[name]
    except Exception:  # `h5_rows` reports what is wrong
        return True


def _reader(path, name, members, kept):
    file = h5py.File(path, "r")  # stays open as long as the iterator that reads
    group = file[name]

    def read(rows):
        try:
            return {member: _read(group[_STORED[member]], member, kept[rows]) for member in members}
        except Exception as error:  # as above
            raise UserError(f"{path}: reading {name} failed ({_one_line(error)}); is it damaged?") from error

    return read


_STORED = {"image": "imgs", "mask": "masks", "factors": "factors"}


#: Number of channels -> how images in color are made of such images.
_SHAPE_ADVICE = {
    1: ": the images are gray; store np.repeat(imgs, 3, axis=-1)",
    4: ": the images have a fourth channel, as transparent ones do; store imgs[..., :3]",
}
#: How masks are made of a number for each pixel.
_MAP_ADVICE = (
    ": of one number per pixel, store (masks[:, None, ..., None] == "
    "np.arange(masks.max() + 1)[:, None, None, None]).astype(np.uint8)"
)
#: What to store instead of values of another type: whole numbers, floats.
_TYPE_ADVICE = {
    "image": ("imgs.astype(np.uint8)", "np.rint(255 * imgs).astype(np.uint8) of floats in [0, 1]"),
    "mask": ("masks.astype(np.uint8)", "(masks > 0.5).astype(np.uint8)"),
}


def _spec(member, dataset):
    shape = dataset.shape[1:4] if member == "mask" else dataset.shape[1:]
    return tf.TensorSpec([None, *shape], tf.float32 if member == "factors" else tf.uint8)


def _members(group, where, wanted):
    """Returns the datasets to read, by their names in a batch, after checking their layouts."""
    names = ["image", *(["mask"] if wanted.masks else []), *(["factors"] if wanted.factors else [])]
    members = {}
    for name in names:
        stored = _STORED[name]
        if not isinstance(group, h5py.Group) or not isinstance(group.get(stored), h5py.Dataset):
            advice = {
                "image": "is it a file in EfficientMORL's layout?",
                "mask": "give a file with masks; this metric or option needs them.",
                "factors": "give a file with factors; this metric needs them.",
            }[name]
            raise UserError(f"{where}: has no '{stored}'; {advice}")
        members[name] = group[stored]
    image, mask, factors = (members.get(name) for name in _STORED)
    if image.ndim != 4 or image.shape[-1] != 3 or not len(image):
        advice = _SHAPE_ADVICE.get(image.shape[-1] if image.ndim == 4 else "", "")
        raise UserError(f"{where}/imgs: shape {image.shape}; expected [n, H, W, 3] with n > 0{advice}.")
    expected = (*image.shape[1:3], 1)
    if mask is not None and (mask.ndim != 5 or mask.shape[2:] != expected):
        advice = _MAP_ADVICE if mask.shape[1:] == image.shape[1:3] else ""
        raise UserError(
            f"{where}/masks: shape {mask.shape}; expected [n, E, {', '.join(map(str, expected))}]{advice}."
        )
    if factors is not None and factors.ndim != 3:
        raise UserError(f"{where}/factors: shape {factors.shape}; expected [n, E, F], visibility last.")
    for name, value in members.items():
        if len(value) != len(image):
            raise UserError(f"{where}: {len(image)} images, but {len(value)} in '{_STORED[name]}'.")
        if name != "factors" and value.dtype != np.uint8:
            advice = _TYPE_ADVICE[name][np.issubdtype(value.dtype, np.floating)]
            raise UserError(
                f"{where}/{_STORED[name]}: type {value.dtype}; expected uint8, 0 to 255: store {advice}."
            )
    return members


def _check_sizes(group, path):
    """Raises an error if a damaged set claims to hold more than a file of this size can."""
    for stored in _STORED.values():
        dataset = group.get(stored)
        if isinstance(dataset, h5py.Dataset) and dataset.nbytes > _MOST_PER_BYTE * path.stat().st_size:
            raise UserError(
                f"{path}, {dataset.name}: shape {dataset.shape} does not fit into it; is it damaged?"
            )


def _kept(group, members, where, max_objects):
    """Returns the numbers of the scenes with at most `max_objects` objects: int64 [n]."""
    n = len(members["image"])
    stored = [group[name] for name in ("factors", "masks") if isinstance(group.get(name), h5py.Dataset)]
    if max_objects is None or not stored or stored[0].shape[1] <= max_objects + 1:
        return np.arange(n)
    if stored[0].name.endswith("factors"):
        visible = stored[0][..., -1] > 0  # [n, E]
    else:
        parts = [np.any(stored[0][i : i + _PROBED], axis=(2, 3, 4)) for i in range(0, n, _PROBED)]
        visible = np.concatenate(parts)  # [n, E]
    kept = np.flatnonzero(object_count(visible.astype(np.int64)).numpy() <= max_objects)
    if not len(kept):
        raise UserError(f"{where}: no scene has at most {max_objects} objects.")
    return kept


def _probe(members, kept, where, check_masks):
    """Reads both ends, so that most damage is found now instead of hours later."""
    for name, value in members.items():
        ends = [_read(value, name, rows) for rows in (kept[:_PROBED], kept[-_PROBED:])]
        if name == "image":
            check_not_black(np.concatenate(ends), f"{where}/imgs")
        for read in ends:
            if name == "mask" and check_masks:
                check_partition(read, f"{where}/masks")
            if name == "factors" and not np.isfinite(read).all():
                raise UserError(f"{where}/factors: contains values that are not finite.")


def _read(dataset, member, rows):
    """Reads ascending rows, neighbors together."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    values = np.concatenate([dataset[run[0] : run[-1] + 1] for run in runs if len(run)])
    if member == "factors":
        return values.astype(np.float32)
    return values[..., 0] if member == "mask" else values


def _what_is_wrong(error):
    """Explains why a file cannot be opened, and what to do."""
    if "unable to lock file" in str(error):
        return "another program has it open for writing; close it there, and start again."
    if isinstance(error, PermissionError):
        return "you may not read it; change its permissions (chmod u+r)."
    return f"cannot be read as HDF5 ({_one_line(error)}); is it damaged?"


def _one_line(error):
    return " ".join(str(error).split())
