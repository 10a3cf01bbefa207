"""The folder of an exported step, as `portable_train.py` reads it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from discovery import UserError

MANIFEST_FILE = "manifest.json"

#: What trains there, and what it imports beside jax, numpy and flatbuffers.
RUNNER = Path(__file__).with_name("portable_train.py")
_IMPORTED = Path(__file__).with_name("portable_files.py")


class Phase(NamedTuple):
    """A part of the training with options of its own.

    Attributes:
        first_step: number of steps taken before it.
        options: the model's options.
        metrics: names of what its program returns for each step.
        content: the program, as `exported_program` makes it.
    """

    first_step: int
    options: Mapping[str, Any]
    metrics: Sequence[str]
    content: bytes


def check_folder(folder: Path) -> None:
    """Raises a UserError if the folder holds an export already."""
    if (folder / MANIFEST_FILE).exists():
        raise UserError(f"{folder} holds an exported step already: choose another --out, or delete it")


def write_folder(
    folder: Path,
    phases: Sequence[Phase],
    state: Mapping[str, np.ndarray],
    data: Mapping[str, np.ndarray],
    data_file: Path,
    facts: Mapping[str, Any],
) -> None:
    """Writes all that another machine needs; the manifest comes last, so that a part is not an export.

    Args:
        folder: where to write.
        phases: the phases, in order.
        state: what training begins with, in the order of the programs' arguments.
        data: likewise.
        data_file: where the data go.
        facts: further entries of the manifest.

    Raises:
        UserError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        programs = []
        for i, phase in enumerate(phases):
            file = f"program-{i}.bin"
            (folder / file).write_bytes(phase.content)
            checksum = hashlib.sha256(phase.content).hexdigest()
            about = {"first_step": phase.first_step, "options": dict(phase.options)}
            programs.append(about | {"file": file, "sha256": checksum, "metrics": list(phase.metrics)})
        np.savez_compressed(folder / "initial.npz", **state)
        with open(data_file, "wb") as file:
            np.savez_compressed(file, **data)
        for file in (RUNNER, _IMPORTED):
            shutil.copyfile(file, folder / file.name)
        arrays = {"state": _entries(state), "data": _entries(data)}
        for entry in arrays["data"]:  # the data of another export may have the same names and shapes
            entry["sha256"] = hashlib.sha256(np.ascontiguousarray(data[entry["name"]])).hexdigest()
        manifest = {"format": 1, **facts, "programs": programs, **arrays}
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror or error}; choose another --out"
        ) from None


def _entries(arrays):
    return [{"name": n, "shape": list(a.shape), "dtype": a.dtype.name} for n, a in arrays.items()]
