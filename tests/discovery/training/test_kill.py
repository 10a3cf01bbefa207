"""A run killed at any moment, and started again, ends like one that was not.

Every start is a new process. It is forked from one that has imported TensorFlow and not used it, so it
shares code, and nothing else, with those before it. Nothing can catch SIGKILL: what a run goes on from is
what lies on the disk.
"""

import itertools
import os
import random
import re
import resource
import signal
import time

import numpy as np
import pytest

from discovery.snapshots import list_snapshots, read_snapshot
from discovery.training.save_and_resume import remove_unfinished, write_snapshot
from tests.discovery.training.dying_writer import KEEP, arrays_at
from tests.scripts.tiny_runs import metrics

TOY = "tests.discovery.training.toy_run"
N_KILLS, N_STEPS = 12, 1000


def steps_in(folder):
    return [int(prefix.rpartition("-")[2]) for prefix in list_snapshots(folder)]


def newest(folder):
    return max(steps_in(folder), default=0)


def torn(folder):
    """Whether a snapshot was being written."""
    data = {path.name.split(".data")[0] for path in folder.glob("model.ckpt-*.data*")}
    return bool(list(folder.glob(".unfinished*"))) or len(data) > len(list_snapshots(folder))


def wait_for_a_snapshot(folder, after=0):
    while newest(folder) <= after:
        time.sleep(0.001)


def assert_same_end(unbroken, broken):
    one, other = (read_snapshot(f"{folder}/model.ckpt-{N_STEPS}") for folder in (unbroken, broken))
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert metrics(unbroken) == metrics(broken)


@pytest.fixture(scope="module")
def unbroken(processes, tmp_path_factory):
    """The folder of a run that nothing befell."""
    folder = tmp_path_factory.mktemp("unbroken")
    ended = processes.run(TOY, f"--folder={folder}")
    assert ended.code == 0, ended.stderr
    return folder


@pytest.mark.slow
def test_killed_and_resumed_equals_unbroken(processes, unbroken, tmp_path):
    moments, n_torn, reached, folder = random.Random(5), 0, 0, tmp_path
    for _ in range(N_KILLS):
        process = processes.start(TOY, f"--folder={folder}", "--snapshot_steps=1")
        wait_for_a_snapshot(folder, after=reached)
        time.sleep(moments.uniform(0.0, 0.3))
        os.kill(process[0], signal.SIGKILL)
        assert processes.wait(process).code == -signal.SIGKILL, "it ended before it could be killed"
        n_torn, reached = n_torn + torn(folder), newest(folder)
    assert n_torn > 0, "no kill hit a snapshot that was being written"
    ended = processes.run(TOY, f"--folder={folder}")
    assert ended.code == 0, ended.stderr
    assert_same_end(unbroken, folder)


def test_a_disk_that_is_full_for_a_while(processes, unbroken, tmp_path):
    process = processes.start(TOY, f"--folder={tmp_path}", "--snapshot_steps=1")
    wait_for_a_snapshot(tmp_path)
    resource.prlimit(process[0], resource.RLIMIT_FSIZE, (500, 500))  # less than a snapshot
    told = processes.wait(process).mistake
    assert re.search(
        rf"cannot write {tmp_path}/\S+: .*earlier snapshots stay.*start the same command again", told
    )
    assert not torn(tmp_path)
    reached = newest(tmp_path)
    again = processes.run(TOY, f"--folder={tmp_path}")
    assert again.code == 0, again.stderr
    assert f"resumes from step {reached}\n" in again.stdout
    assert_same_end(unbroken, tmp_path)


def test_killed_between_any_two_operations_on_files(processes, tmp_path):
    outcomes = []
    for n in itertools.count(1):
        folder = tmp_path / str(n)
        folder.mkdir()
        ended = processes.run("tests.discovery.training.dying_writer", folder, n)
        outcomes.append(steps_in(folder))
        for step in outcomes[-1]:
            for name, array in read_snapshot(f"{folder}/model.ckpt-{step}").items():
                np.testing.assert_array_equal(array, arrays_at(step)[name])
        remove_unfinished(folder)
        write_snapshot(folder, 4, arrays_at(4), KEEP)
        assert steps_in(folder) == [outcomes[-1][-1], 4]
        assert len(list(folder.iterdir())) == 2 * KEEP + 1  # no scraps
        if ended.code == 0:
            break
    # All of the new snapshot appears at once, before any of the old one goes.
    assert [list(steps) for steps, _ in itertools.groupby(outcomes)] == [[1, 2], [1, 2, 3], [2, 3]]
    assert n == 10
