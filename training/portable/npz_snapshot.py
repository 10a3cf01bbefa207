"""Reading what `portable_train.py` writes: `step-<number>.npz`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protocols import UserError

#: Name of the flags among the arrays; the program that writes them imports nothing of this package.
FLAGS = "exported/flags"


class NpzSnapshot(NamedTuple):
    """The state of a training elsewhere.

    Attributes:
        flags: of the run that was exported, by name.
        arrays: by the names of snapshots, integers with 32 bits.
    """

    flags: dict[str, str]
    arrays: dict[str, np.ndarray]


def read_npz_snapshot(path: Path) -> NpzSnapshot:
    """Reads a snapshot; nothing in it is run.

    Raises:
        UserError: it does not exist, is damaged, or is another file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
        if wrong:
            raise ValueError(f"the checksum of {wrong} is wrong")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        flags = json.loads(str(arrays.pop(FLAGS)))
        return NpzSnapshot({name: str(text) for name, text in flags.items()}, arrays)
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror or error})") from None
    except Exception as error:  # a damaged file raises whatever zip, zlib or numpy stumble over
        cause = " ".join(str(error).split())
        raise UserError(f"{path}: damaged, or no snapshot of portable_train.py ({cause})") from None
