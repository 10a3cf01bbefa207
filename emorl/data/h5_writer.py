"""Writes generated scenes in the layout of the original's files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import h5py

from emorl.data.generated import TEST, TRAIN, Generator, draw_set
from protocols import Seed, UserError

_CHUNK = 64  # scenes: what a reader decompresses at a time
_PART = 1024  # scenes drawn and written at a time
_FORMAT = ("v110", "v110")  # of 2016: the first whose headers and indices all carry checksums


def write_generated(
    path: Path,
    generate: Generator,
    n_train: int,
    n_test: int,
    seed: int,
    progress: Callable[[int], None] = lambda n: None,
) -> None:
    """Writes {train,test}/imgs, masks (0 and 255) and factors; the file appears only when it is complete.

    Args:
        path: Where to; its folder is made.
        generate: The generator.
        n_train: Training scenes.
        n_test: Test scenes; never the training scenes' seeds, nor does their number change any of those.
        seed: Of both sets.
        progress: Called with the number of scenes written since its last call.

    Raises:
        UserError: The file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(part, "w", libver=_FORMAT) as file:
            for name, purpose, n in (("train", TRAIN, n_train), ("test", TEST, n_test)):
                _write_set(file.create_group(name), generate, Seed.of(seed).fold(purpose), n, progress)
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error}).") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _write_set(group, generate, seed, n, progress):
    for first in range(0, n, _PART):
        scenes = draw_set(generate, seed, min(_PART, n - first), first)
        arrays = {
            "imgs": scenes.image.numpy(),
            "masks": 255 * scenes.mask.numpy()[..., None],
            "factors": scenes.factors.numpy(),
        }
        for name, values in arrays.items():
            if not first:
                shape = (n, *values.shape[1:])
                chunks = (min(_CHUNK, n), *values.shape[1:])
                group.create_dataset(
                    name,
                    shape,
                    values.dtype,
                    chunks=chunks,
                    compression="gzip",
                    compression_opts=1,
                    fletcher32=True,
                )
            group[name][first : first + len(values)] = values
        progress(len(values))
