"""A user's own scenes, as a folder of PNG and JPEG files, with or without masks beside them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from discovery import UserError
from discovery.image_files import check_memory, check_not_black, each_read, fitted, opened
from discovery.image_folders import find_images
from emorl.data.mask_files import read_labels
from emorl.data.stored import Rows

MASKS = "masks"
_WINDOW = 64  # scenes assembled at a time; shuffling covers all of them anyway


class SceneFiles(NamedTuple):
    """The files of one set.

    Attributes:
        images: Image files of the scenes.
        masks: Mask files by scene, including those of other sets in the same folder; empty: there are none.
    """

    images: tuple[Path, ...]
    masks: dict[Path, Path]


class SceneFolder(NamedTuple):
    """The contents of a folder.

    Attributes:
        path: Path of the folder.
        train: Scenes for training.
        valid: Scenes for validation.
        train_from: Where the training scenes come from, in words.
        valid_from: Where the validation scenes come from.
    """

    path: Path
    train: SceneFiles
    valid: SceneFiles
    train_from: str
    valid_from: str


def find_scenes(folder: Path) -> SceneFolder:
    """Finds the scenes of a folder, as `find_images` says; masks are `masks/NAME.png` beside them.

    Raises:
        UserError: There are no scenes, it is unclear which are for what, or some of a set have no masks.
    """
    found = find_images(folder, aside=(MASKS,))
    if found.classes:
        names = ", ".join(found.classes[:10])
        raise UserError(f"{folder}: holds subfolders {names}, but scenes have no classes; put all into one")
    roots = [found.train.root, found.valid.root]
    for misplaced in found.aside:
        if misplaced.parent not in roots:
            places = " and ".join(str(root / MASKS) for root in dict.fromkeys(roots))
            raise UserError(f"{misplaced}: masks of these scenes belong in {places}")
    sets = found.train, found.valid
    by_root = {root: [path for s in sets if s.root == root for path in s.paths] for root in roots}
    masks = {root: _masks(root, sorted(paths)) for root, paths in by_root.items()}
    files = (SceneFiles(s.paths, masks[s.root]) for s in sets)
    return SceneFolder(Path(folder), *files, f"in {found.train.root}", found.valid_from)


def scene_rows(found: SceneFolder, size: int, masks: bool) -> tuple[Rows | UserError, Rows | UserError]:
    """Reads training and validation scenes into memory.

    Args:
        found: The scenes.
        size: Side of the resulting images.
        masks: Whether to read masks.

    Returns:
        Rows of "image" uint8 [n, size, size, 3] and, if requested, "mask" uint8 [n, E, size, size] of 0
        and 1; the error instead of a set that lacks the requested masks.

    Raises:
        UserError: A file cannot be read, or no set has the requested masks.
    """
    if masks and not (found.train.masks or found.valid.masks):
        raise _no_masks(found.path)
    arrays = [
        _no_masks(found.path) if masks and not files.masks else read_scenes(files, size, masks)
        for files in (found.train, found.valid)
    ]
    places = [
        f"{place}; {'with' if files.masks else 'without'} masks"
        for files, place in ((found.train, found.train_from), (found.valid, found.valid_from))
    ]
    told = [a for a in arrays if not isinstance(a, UserError)]
    check_not_black(told[0]["image"], found.path)
    n_entities = 1 + max(int(a["label"].max()) for a in told) if masks else 0
    return tuple(
        a if isinstance(a, UserError) else _rows(a, n_entities, place)
        for a, place in zip(arrays, places, strict=True)
    )


def read_scenes(files: SceneFiles, size: int, masks: bool, first: int = 0, n: int | None = None) -> dict:
    """Reads scenes [first, first + n) of a set, all by default.

    Returns:
        "image" uint8 [n, size, size, 3] and, if requested, "label" uint8 [n, size, size], the object of
        each pixel, 0 for the background.
    """
    paths = files.images[first:] if n is None else files.images[first : first + n]
    check_memory(len(paths), size * size * (4 if masks else 3))
    arrays = {"image": np.empty([len(paths), size, size, 3], np.uint8)}  # [n, S, S, 3]
    if masks:
        arrays["label"] = np.empty([len(paths), size, size], np.uint8)  # [n, S, S]
    read = functools.partial(_scene, masks=files.masks if masks else {}, size=size)
    for i, scene in enumerate(each_read(read, paths)):
        for name, values in scene.items():
            arrays[name][i] = values
    return arrays


def one_hot(labels: np.ndarray, n_entities: int) -> np.ndarray:
    """Converts labels [n, H, W] to masks of 0 and 1: uint8 [n, E, H, W]."""
    return (labels[:, None] == np.arange(n_entities)[:, None, None]).astype(np.uint8)


def _masks(root, paths):
    """Returns the mask of each scene; empty if the folder has no masks at all."""
    folder = root / MASKS
    if not folder.is_dir():
        return {}
    masks = {path: folder / f"{path.stem}.png" for path in paths}
    there = {path.name for path in folder.iterdir()}
    lacking = [path for path in paths if masks[path].name not in there]
    if lacking:
        raise UserError(
            f"{folder}: lacks {len(lacking):,} of {len(paths):,} masks, the first is "
            f"{masks[lacking[0]].name} of {lacking[0].name}; give every scene one, or none: rename the folder"
        )
    return masks


def _scene(path, masks, size):
    image = opened(path)
    scene = {"image": fitted(image, size, 3)}
    if masks:
        scene["label"] = read_labels(masks[path], image.size, size)
    return scene


def _no_masks(folder):
    return UserError(
        f"{folder}: has no masks, which this needs; give {folder / MASKS / 'NAME.png'} for each scene NAME"
    )


def _rows(arrays, n_entities, place):
    n, height, width, _ = arrays["image"].shape
    signature = {"image": tf.TensorSpec([None, height, width, 3], tf.uint8)}
    if "label" in arrays:
        signature["mask"] = tf.TensorSpec([None, n_entities, height, width], tf.uint8)

    def read(rows):
        scenes = {"image": arrays["image"][rows]}
        if "label" in arrays:
            scenes["mask"] = one_hot(arrays["label"][rows], n_entities)
        return scenes

    return Rows(n, lambda: read, signature, run=1, window=_WINDOW, place=place)
