"""Checksums of files: of each, and of many together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from discovery.errors import UserError


def sha256_of(path: Path) -> str:
    """Returns a file's sha256, as `sha256sum` prints it.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def sha256_of_all(paths: Sequence[Path]) -> tuple[str, Path]:
    """Returns one checksum of several files in a folder, and that folder.

    It is that of the lines that `sha256sum` prints there for `./NAME`, in the order of the names' bytes.

    Raises:
        UserError: one cannot be read.
    """
    root = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    names = sorted(f"./{path.absolute().relative_to(root)}" for path in paths)
    lines = "".join(f"{sha256_of(root / name)}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest(), root
