"""One run at a time in a folder."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from discovery import UserError

LOCK_FILE = "run.lock"

#: What file systems without locks answer.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def run_lock(folder: Path, log: Callable[[str], None] = print) -> Iterator[None]:
    """Keeps other processes from passing `run_lock` of the same folder, which is created if it is missing.

    The kernel frees the lock however a process ends, so a killed run blocks nobody. Readers are not stopped.

    Args:
        folder: the run's folder.
        log: receives a warning where the file system has no locks.

    Raises:
        UserError: another process holds the folder, or it cannot be written; nothing is changed then.
    """
    path = folder / LOCK_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(path, log)
    except OSError as error:
        raise UserError(
            f"cannot write to the run's folder {folder}: {error.strerror or error}; choose another --logdir"
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # while it is held: `_locked` notices
        os.close(descriptor)


def _locked(path, log):
    """Returns a descriptor of the file that is at `path` and locked, with this process's name in it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor, path, log)
            if _is_at(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever held it before has just removed it


def _lock(descriptor, path, log):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 1000).decode(errors="replace") or "another process"
        raise UserError(
            f"{holder} is running in {path.parent}: wait for it to end, stop it, or choose another --name"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        log(f"warning: the file system of {path.parent} has no locks: take care to start only one run there")


def _is_at(descriptor, path):
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
