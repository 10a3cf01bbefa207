"""Reading what `portable_train.py` writes: `step-<number>.npz`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from discovery import UserError
from discovery.export import portable_files


class NpzSnapshot(NamedTuple):
    """The state of training done elsewhere.

    Attributes:
        flags: the flags of the run that was exported, by name.
        arrays: by their names in snapshots; integers have 32 bits.
    """

    flags: dict[str, str]
    arrays: dict[str, np.ndarray]


def read_npz_snapshot(path: Path) -> NpzSnapshot:
    """Reads a snapshot, or joins its parts; nothing in it is run.

    Raises:
        UserError: it does not exist, is damaged, lacks a part, or is not a snapshot.
    """
    try:
        arrays = portable_files.read_npz(path)
        flags = json.loads(str(arrays.pop(portable_files.FLAGS)))
        return NpzSnapshot({name: str(text) for name, text in flags.items()}, arrays)
    except portable_files.DamagedError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror or error})") from None
    except Exception as error:  # zip, zlib and numpy raise many kinds of errors
        cause = " ".join(str(error).split())
        raise UserError(f"{path}: damaged, or not a snapshot of portable_train.py ({cause})") from None
