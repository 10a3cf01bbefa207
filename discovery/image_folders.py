"""What a folder of images holds: which are for training, which for validation, and the class of each."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from discovery.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg")
#: Without subfolders for training and validation, every tenth image is held out.
HOLD_OUT_EVERY = 10

# Names of subfolders that split the data, in any case; of several for validation the first is used.
_TRAIN = ("train", "training")
_VALID = ("valid", "val", "validation", "test", "testing")
_DEEPEST = 4  # levels that are searched, so that circular links end
_JUNK = (".", "__MACOSX")  # prefixes of what file managers and archivers leave behind

_Place = tuple[str, ...]  # names of subfolders on the way


class ImageSet(NamedTuple):
    """One of the two sets, in the order in which it is read.

    Attributes:
        root: The folder that it is in, or whose subfolders are its classes.
        paths: Of the images: the first of each class, the second of each class, ...
        labels: The class of each, a place in `ImageFolder.classes`; empty without classes.
    """

    root: Path
    paths: tuple[Path, ...]
    labels: tuple[int, ...]


class ImageFolder(NamedTuple):
    """What a folder holds.

    Attributes:
        train: Images to learn from.
        valid: Images for validation.
        classes: Names of the subfolders that images are sorted into; empty: there are no classes.
        held_out: Whether the folder has no split of its own, so that every tenth image is held out.
        aside: Subfolders that were skipped.
    """

    train: ImageSet
    valid: ImageSet
    classes: tuple[str, ...]
    held_out: bool
    aside: tuple[Path, ...]

    @property
    def valid_from(self) -> str:
        """Where the images for validation come from, in words."""
        return f"in {self.valid.root}" + (": every tenth is held out" if self.held_out else "")


def find_images(folder: str | Path, aside: Collection[str] = ()) -> ImageFolder:
    """Finds the PNG and JPEG files of a folder, and sorts them by their names.

    They are in the folder itself or, by class, in its subfolders; a single subfolder is not a class. Where
    there are subfolders `train` and `valid` (or `val`, `validation`, `test`), these hold the two sets, laid
    out likewise. Otherwise every tenth image, counted across the classes, is for validation.

    Args:
        folder: Which folder.
        aside: Names of subfolders to skip, which hold something else.

    Raises:
        UserError: There is no image, or it is unclear to which set or class some belong.
    """
    folder = Path(folder).expanduser()
    found: dict[_Place, list[Path]] = {}
    left_aside: list[Path] = []
    _walk(folder, (), aside, found, left_aside)
    if not found:
        raise UserError(f"{folder}: holds no images, directly or in subfolders; expected .png or .jpg")
    split = _split(folder, found)
    train_name, valid_name = split or (None, None)
    train = _by_class(folder, (train_name,) if split else (), found)
    classes = tuple(train) if len(train) > 1 else ()
    if valid_name is not None:
        valid = _by_class(folder, (valid_name,), found)
        if not set(valid) <= set(train) if classes else len(valid) > 1:
            raise UserError(
                f"{folder / valid_name}: has classes {_listed(valid)}, but {folder / train_name} has "
                f"{_listed(train)}: make them the same"
            )
    else:
        train, valid = _held_out(folder, train)
    roots = [folder / name if name else folder for name in (train_name, valid_name or train_name)]
    sets = [_in_turns(root, of, classes) for root, of in zip(roots, (train, valid), strict=True)]
    return ImageFolder(*sets, classes, split is None, tuple(left_aside))


def _walk(folder, place, aside, found, left_aside):
    """Collects images by the subfolders on the way to them."""
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{folder}: cannot be opened as a folder of images ({error.strerror})") from None
    for entry in entries:
        if entry.name.startswith(_JUNK):
            continue
        if not entry.is_dir():
            if entry.name.lower().endswith(SUFFIXES):
                found.setdefault(place, []).append(Path(entry.path))
        elif entry.name in aside:
            left_aside.append(Path(entry.path))
        elif len(place) < _DEEPEST:
            _walk(Path(entry.path), (*place, entry.name), aside, found, left_aside)


def _split(folder, found):
    """Returns the subfolders for training and validation; None where there are none."""
    tops = {place[0] for place in found if place}
    named = {name.lower(): name for name in sorted(tops)}
    train, valid = (next((named[n] for n in names if n in named), None) for names in (_TRAIN, _VALID))
    if valid is None and tops != {train}:  # beside other subfolders "train" is a class, say of railways
        return None
    others = [name for name in sorted(tops) if name.lower() not in _TRAIN + _VALID]
    if train is None or others or () in found:
        beside = "no subfolder train" if train is None else f"also {', '.join(others) or 'images'}"
        raise UserError(
            f"{folder}: holds a subfolder {valid or train}, but {beside}: for a split give train and valid "
            "alone; rename a class of that name"
        )
    return train, valid


def _by_class(folder, place: _Place, found: Mapping[_Place, list[Path]]) -> dict[str, list[Path]]:
    """Returns the images below a place by the name of their subfolder, "" for none."""
    root = folder.joinpath(*place)
    below = {where[len(place) :]: paths for where, paths in found.items() if where[: len(place)] == place}
    deep = [paths[0] for where, paths in below.items() if len(where) > 1]
    if deep:
        raise UserError(
            f"{deep[0]}: is too deep: images belong in {root}, or in subfolders of it, one per class"
        )
    if () in below and len(below) > 1:
        raise UserError(
            f"{root}: images lie in it ({below[()][0].name}) and in subfolders of it "
            f"({_listed(where[0] for where in below if where)}): move all into subfolders, or none"
        )
    return {where[0] if where else "": below[where] for where in sorted(below)}


def _held_out(folder, by_class):
    """Splits classes into training images and every tenth image, counted across all of them."""
    train, valid, n = {}, {}, 0
    for name, paths in by_class.items():
        held = [(n + i) % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1 for i in range(len(paths))]
        train[name] = [path for path, out in zip(paths, held, strict=True) if not out]
        valid[name] = [path for path, out in zip(paths, held, strict=True) if out]
        n += len(paths)
    if n < HOLD_OUT_EVERY:
        raise UserError(
            f"{folder}: {n} images are too few to hold out every tenth for validation; put them into "
            "subfolders train and valid"
        )
    return train, valid


def _in_turns(root, by_class, classes):
    """Orders a set so that all classes occur at its beginning."""
    numbered = [
        (rank, classes.index(name) if classes else 0, path)
        for name, paths in by_class.items()
        for rank, path in enumerate(paths)
    ]
    numbered.sort()
    labels = tuple(label for _, label, _ in numbered) if classes else ()
    return ImageSet(root, tuple(path for _, _, path in numbered), labels)


def _listed(names):
    names = sorted(name or "none" for name in names)
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
