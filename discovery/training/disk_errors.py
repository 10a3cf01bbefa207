"""What to tell where a disk is full, gone, or read-only."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from discovery import UserError


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Within it, what Python or TensorFlow cannot write becomes a UserError that tells what to do.

    Args:
        path: of what is written.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise UserError(
            f"cannot write {path}: {_cause(error)}{_room(Path(path).parent)}; earlier snapshots stay: see to "
            "the disk, and start the same command again to go on from the newest"
        ) from None


def _cause(error):
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    line = str(error).strip().split("\n")[0].split(" [Op:")[0]  # of TensorFlow: {{node}} file; cause
    return re.sub(r"^\{\{.*?\}\} *", "", line).rpartition("; ")[2] or type(error).__name__


def _room(folder):
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    return f" ({free / 1e6:,.0f} MB are free there)"
