"""Three processes train a toy: one is told to stop, others are killed, and they end like one process."""

import random
import re
import signal
import time

import numpy as np
import pytest

from discovery.snapshots import list_snapshots, read_snapshot
from tests.discovery.distributed.workers import Workers
from tests.scripts.tiny_runs import metrics

pytestmark = pytest.mark.slow

TOY = "tests.discovery.training.toy_run"
LENGTH = 100_000


def steps_in(folder):
    return [int(prefix.rpartition("-")[2]) for prefix in list_snapshots(folder)]


def wait_for_a_snapshot(folder, after):
    deadline = time.monotonic() + 300
    while max(steps_in(folder), default=0) <= after:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, 0.2))


def test_whatever_befalls_one_of_three(processes, tmp_path):
    def folder(index):
        return tmp_path / str(index)  # without a disk that they share

    def three(steps):
        def flags_of(index):
            flags = ("--batch_size=12", "--snapshot_steps=5", f"--steps={steps}")
            return (*flags, f"--folder={folder(index)}", f"--weights={tmp_path}/{index}.npz")

        return Workers(processes, 3, TOY, flags_of)

    workers = three(LENGTH)
    wait_for_a_snapshot(folder(0), after=0)
    workers.send(2, signal.SIGTERM)
    for index, ended in enumerate(workers.ended()):
        who = "SIGTERM" if index == 2 else "a signal to another worker"
        told = re.fullmatch(
            rf"{who}: stopped after step (\d+), which {folder(index)}/model\.ckpt-\1 holds; "
            "start the same command again to resume from there\n",
            ended.stderr,
        )
        assert (ended.code, steps_in(folder(0))[-1]) == (130, int(told[1]))

    stopped_at = steps_in(folder(0))[-1]
    for lost in (0, random.choice((1, 2))):
        workers = three(LENGTH)
        wait_for_a_snapshot(folder(0), after=stopped_at)
        begun = time.monotonic()
        workers.send(lost, signal.SIGKILL)
        ended = workers.ended()
        assert time.monotonic() - begun < 60
        assert ended.pop(lost).code == -signal.SIGKILL
        for other in ended:
            assert other.mistake.startswith("error: a worker of this training is gone (")
        stopped_at = steps_in(folder(0))[-1]

    last = stopped_at + 7
    for ended in three(last).ended():
        assert (ended.code, ended.stderr) == (0, "")
    flags = ("--batch_size=12", "--snapshot_steps=5", f"--steps={last}", f"--folder={tmp_path}/alone")
    alone = processes.run(TOY, *flags)
    assert alone.code == 0, alone.stderr

    assert metrics(folder(0)) == [pytest.approx(line, rel=1e-5) for line in metrics(tmp_path / "alone")]
    end, end_alone = (read_snapshot(f"{run}/model.ckpt-{last}") for run in (folder(0), tmp_path / "alone"))
    assert end.keys() == end_alone.keys()
    for name, value in end_alone.items():
        np.testing.assert_allclose(end[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    weights = [np.load(tmp_path / f"{index}.npz") for index in range(3)]
    for name, value in weights[0].items():
        for other in weights[1:]:
            np.testing.assert_array_equal(other[name], value, err_msg=name)
    for index in (1, 2):
        assert list(folder(index).iterdir()) == []  # made by the toy


def test_a_chief_that_falls_silent(processes, tmp_path):
    """As that of a host that is switched off: no connection ends, nothing comes any more."""
    flags = ("--batch_size=12", "--snapshot_steps=5", f"--steps={LENGTH}")
    workers = Workers(processes, 2, TOY, lambda index: (*flags, f"--folder={tmp_path}/{index}"))
    wait_for_a_snapshot(tmp_path / "0", after=0)
    begun = time.monotonic()
    workers.send(0, signal.SIGSTOP)
    try:
        assert "is gone (the chief was the first not to answer), so this one" in workers.wait(1).mistake
        assert time.monotonic() - begun < 60
    finally:
        workers.send(0, signal.SIGKILL)
        workers.wait(0)
