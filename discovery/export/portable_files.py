"""The files of an exported step, and the snapshots of its training; needs numpy alone."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

#: Says where a snapshot came from: the manifest's flags, as JSON.
FLAGS = "exported/flags"
_SNAPSHOT = re.compile(r"(step-(\d+)\.npz)(?:\.part\d+of\d+)?")
_PART = re.compile(r"\.part(\d+)of(\d+)")


class UserError(Exception):
    """A mistake that the user can fix, described in one line."""


class DamagedError(UserError):
    """A file that cannot be read."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads `manifest.json`."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        form = manifest["format"]
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; give a folder that scripts.export_step has written"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise UserError(f"{path} is damaged; export the step again") from None
    if form != 1:
        raise UserError(f"{path} is of format {form}, and this program reads 1: use the one beside it")
    return manifest


def read_arrays(path: Path, entries: Sequence[dict[str, Any]]) -> list[np.ndarray]:
    """Returns the arrays of a file in the manifest's order."""
    try:
        arrays = {name: array for name, array in read_npz(path).items() if name != FLAGS}
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except UserError:
        raise
    except Exception as error:  # zip, zlib and numpy raise many kinds of errors
        raise DamagedError(f"{path} is damaged: {first_line(error)}") from None
    there = {name: [list(array.shape), array.dtype.name] for name, array in arrays.items()}
    wanted = {entry["name"]: [entry["shape"], entry["dtype"]] for entry in entries}
    wrong = [name for name in {**wanted, **there} if there.get(name) != wanted.get(name)]
    if not wrong:
        found = {name: hashlib.sha256(np.ascontiguousarray(a)).hexdigest() for name, a in arrays.items()}
        wrong = [e["name"] for e in entries if e.get("sha256") not in (None, found[e["name"]])]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise UserError(f"{path} does not belong to this export: {', '.join(wrong[:5])}{more} differ")
    return [arrays[name] for name in wanted]


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Reads a file of arrays, or its parts; nothing in it is run.

    Raises:
        DamagedError: a part is missing.
        OSError: it cannot be opened.
        Exception: any error of zip, zlib or numpy.
    """
    with _opened(path) as content:
        with zipfile.ZipFile(content) as archive:
            wrong = archive.testzip()
        if wrong:
            raise ValueError(f"the checksum of {wrong} is wrong")
        content.seek(0)
        with np.load(content, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def write_snapshot(
    folder: Path,
    step: int,
    arrays: dict[str, np.ndarray],
    flags: dict[str, str],
    keep: int,
    part_size: int = 0,
) -> None:
    """Writes `step-<number>.npz`; readers see all of it or nothing.

    Args:
        folder: where to write.
        step: number of steps taken.
        arrays: by name, all finite.
        flags: the run's flags.
        keep: how many of the newest snapshots to keep; 0: all.
        part_size: most bytes of a file: a larger one becomes `step-<number>.npz.part<i>of<n>`; 0: no limit.
    """
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise UserError(
                f"{name} is not finite at step {step}: no snapshot was written, earlier ones stay"
            )
    path = folder / f"step-{step}.npz"
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, **{FLAGS: np.array(json.dumps(flags))})
    content = buffer.getbuffer()
    n_parts = -(-len(content) // part_size) if part_size else 1
    size = -(-len(content) // n_parts)
    files = [path] if n_parts == 1 else [Path(f"{path}.part{i + 1}of{n_parts}") for i in range(n_parts)]
    with writing(path):
        for i, target in enumerate(files):
            with open(f"{target}.unfinished", "wb") as file:
                file.write(content[i * size : (i + 1) * size])
                file.flush()
                os.fsync(file.fileno())
        for target in files:
            os.replace(f"{target}.unfinished", target)
        superseded = [other for other in files_of(path) if other not in files]
        for old in snapshots(folder)[:-keep] if keep > 0 else []:
            superseded += files_of(old)
        for other in superseded:
            other.unlink()


def snapshots(folder: Path) -> list[Path]:
    """Returns a folder's snapshots, oldest first; one in parts by the path that it would have as a whole."""
    matches = [match for name in os.listdir(folder) if (match := _SNAPSHOT.fullmatch(name))]
    found = {int(match[2]): folder / match[1] for match in matches}
    return [found[step] for step in sorted(found)]


def files_of(path: Path) -> list[Path]:
    """Returns the file, if it exists, and its parts."""
    return ([path] if path.exists() else []) + list(_parts(path).values())


def _parts(path):
    """(i, n) -> part i of n of a file."""
    if not path.parent.is_dir():
        return {}
    others = [other for other in path.parent.iterdir() if other.name.startswith(path.name)]
    matches = {other: _PART.fullmatch(other.name[len(path.name) :]) for other in others}
    return {(int(m[1]), int(m[2])): other for other, m in matches.items() if m}


def _opened(path) -> BinaryIO:
    parts = _parts(path)
    if path.exists() or not parts:
        return open(path, "rb")
    for n in {n for _, n in parts}:
        missing = [f"part{i}of{n}" for i in range(1, n + 1) if (i, n) not in parts]
        if not missing:
            return io.BytesIO(b"".join(parts[i, n].read_bytes() for i in range(1, n + 1)))
    raise DamagedError(f"{path} lacks {', '.join(missing)}: copy all of its parts")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns failures to write, within it, into errors of one line."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or error
        raise UserError(f"cannot write {path}: {cause}; check the disk, or choose another --out") from None


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
