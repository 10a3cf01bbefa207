"""One run at a time in a folder; whoever is killed blocks nobody."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from discovery import UserError
from discovery.training.run_folder import prepare_run_folder
from discovery.training.run_lock import run_lock

#: Holds a folder's lock without TensorFlow, whose import takes seconds.
HOLDER = """
import sys
from pathlib import Path
from discovery.training.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_is_first(holder, tmp_path):
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    text = rf"process {holder.pid} on {socket.gethostname()} is running in {tmp_path}: .*another --name"
    with pytest.raises(UserError, match=text), run_lock(tmp_path):
        pytest.fail("two processes hold one folder")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_killed_block_nobody(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert os.listdir(tmp_path) == ["run.lock"]  # it could not tidy up
    with run_lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "run.lock").read_text()


def test_who_ends_leaves_nothing(holder, tmp_path):
    holder.communicate("")
    assert os.listdir(tmp_path) == []
    for _ in range(2):
        with run_lock(tmp_path / "new"):
            pass
    assert os.listdir(tmp_path / "new") == []


def test_whoever_waits_at_a_lock_that_is_removed_takes_the_new_one(tmp_path, monkeypatch):
    """Between another's opening and locking the file, its holder ends."""
    import fcntl

    first = run_lock(tmp_path)
    first.__enter__()
    real = fcntl.flock

    def slow(descriptor, operation):
        monkeypatch.setattr(fcntl, "flock", real)
        first.__exit__(None, None, None)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    with run_lock(tmp_path):
        assert os.listdir(tmp_path) == ["run.lock"]
        with pytest.raises(UserError, match="is running in"), run_lock(tmp_path):
            pass


def test_clearing_leaves_the_lock(tmp_path):
    with run_lock(tmp_path):
        (tmp_path / "flags.txt").write_text("")
        prepare_run_folder(tmp_path, {"name": "a"}, overwrite=True)
        assert os.listdir(tmp_path) == ["run.lock"]


def test_without_locks_there_is_a_warning(tmp_path, monkeypatch):
    def unknown(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("discovery.training.run_lock.fcntl.flock", unknown)
    told = []
    with run_lock(tmp_path, told.append):
        assert "has no locks" in told[0]
