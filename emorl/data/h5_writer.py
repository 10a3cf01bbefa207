"""Writes scenes in the layout of the original's files: generated ones, or those of a folder of images."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from discovery import Seed, UserError
from emorl.data.generated import TEST, TRAIN, Generator, draw_set
from emorl.data.scene_folder import SceneFiles, SceneFolder, one_hot, read_scenes

_CHUNK = 64  # scenes that a reader decompresses at a time
_PART = 1024  # scenes drawn or read, and written, at a time
_FORMAT = ("v110", "v110")  # from 2016: the first whose headers and indices all have checksums

Progress = Callable[[int], None]


class _Set(NamedTuple):
    """Scenes of one group of the file: how many, and their arrays in parts, by the layout's names."""

    n: int
    parts: Iterator[dict[str, np.ndarray]]


def write_generated(
    path: Path,
    generate: Generator,
    n_train: int,
    n_test: int,
    seed: int,
    progress: Progress = lambda n: None,
) -> None:
    """Writes {train,test}/imgs, masks (0 and 255) and factors; the file appears only when it is complete.

    Args:
        path: Where to write; its folder is created if missing.
        generate: The generator.
        n_train: Number of training scenes.
        n_test: Number of test scenes, which never share the training scenes' seeds or change these.
        seed: Seed of both sets.
        progress: Called with the number of scenes written since its last call.

    Raises:
        UserError: The file cannot be written.
    """
    sets = {
        name: _Set(n, _generated_parts(generate, Seed.of(seed).fold(purpose), n))
        for name, purpose, n in (("train", TRAIN, n_train), ("test", TEST, n_test))
    }
    _write(path, sets, progress)


def write_folder(path: Path, found: SceneFolder, size: int, progress: Progress = lambda n: None) -> None:
    """Writes the scenes of a folder likewise, with the masks of sets that have some, without factors.

    Args:
        path: Where to write; its folder is created if missing.
        found: The scenes, of which only a part is in memory at a time.
        size: Side of the images.
        progress: Called with the number of scenes written since its last call.

    Raises:
        UserError: A scene cannot be read, or the file cannot be written.
    """
    files = {"train": found.train, "test": found.valid}
    n_entities = 1 + max((_most_objects(of, size) for of in files.values() if of.masks), default=0)
    sets = {name: _Set(len(of.images), _folder_parts(of, size, n_entities)) for name, of in files.items()}
    _write(path, sets, progress)


def _generated_parts(generate, seed, n):
    for first in range(0, n, _PART):
        scenes = draw_set(generate, seed, min(_PART, n - first), first)
        yield {
            "imgs": scenes.image.numpy(),
            "masks": 255 * scenes.mask.numpy()[..., None],
            "factors": scenes.factors.numpy(),
        }


def _folder_parts(files: SceneFiles, size, n_entities):
    for first in range(0, len(files.images), _PART):
        scenes = read_scenes(files, size, bool(files.masks), first, _PART)
        part = {"imgs": scenes["image"]}
        if files.masks:
            part["masks"] = 255 * one_hot(scenes["label"], n_entities)[..., None]  # [n, E, S, S, 1]
        yield part


def _most_objects(files, size):
    starts = range(0, len(files.images), _PART)
    return max(int(read_scenes(files, size, True, first, _PART)["label"].max()) for first in starts)


def _write(path, sets, progress):
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(part, "w", libver=_FORMAT) as file:
            for name, of in sets.items():
                _write_set(file.create_group(name), of, progress)
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error}).") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _write_set(group, of, progress):
    first = 0
    for arrays in of.parts:
        for name, values in arrays.items():
            if not first:
                group.create_dataset(
                    name,
                    (of.n, *values.shape[1:]),
                    values.dtype,
                    chunks=(min(_CHUNK, of.n), *values.shape[1:]),
                    compression="gzip",
                    compression_opts=1,
                    fletcher32=True,
                )
            group[name][first : first + len(values)] = values
        first += len(values)
        progress(len(values))
