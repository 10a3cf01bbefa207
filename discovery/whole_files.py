"""Files that are written completely or not at all, and errors where a disk is full, gone, or read-only."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from discovery.errors import UserError


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turns failures of Python or TensorFlow to write, within it, into a UserError that says what to do.

    Args:
        path: the path that is written.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and not _is_of_tensorflow(error):
            raise
        raise UserError(
            f"cannot write {path}: {_cause(error)}{_room(Path(path).parent)}; earlier snapshots stay: check "
            "the disk, and start the same command again to resume from the newest"
        ) from None


def save_text(path: Path, text: str) -> None:
    """Writes all of a text or nothing.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        unfinished.write_bytes(text.encode("utf-8"))
        os.replace(unfinished, path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _is_of_tensorflow(error):
    tensorflow = sys.modules.get("tensorflow")  # an error of TensorFlow's has imported it
    return tensorflow is not None and isinstance(error, tensorflow.errors.OpError)


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
