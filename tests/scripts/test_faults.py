"""What may befall a run of either training script, one thing after the other; it ends as if nothing had.

Every start is a process of its own, and gets real signals. `tests/discovery/training/test_kill.py` says why
processes that are forked are as good as others, and kills more often.
"""

import json
import os
import random
import re
import signal
import time

import numpy as np
import pytest

from discovery.snapshots import list_snapshots, read_snapshot
from tests.scripts.tiny_runs import POINTS, SCENES, TRAIN, metrics

pytestmark = pytest.mark.slow

SCAE = ("scripts.train", "--max_train_steps", *POINTS)
EMORL = ("scripts.train_emorl", "--iters", *SCENES)


def steps_in(folder):
    return [int(prefix.rpartition("-")[2]) for prefix in list_snapshots(folder)]


def wait_for_a_snapshot(folder, after=0):
    """Waits until the run has written one of a later step than `after`, and then for a random time."""
    deadline = time.monotonic() + 300
    while not any(step > after for step in steps_in(folder)):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(random.uniform(0.0, 0.1))


def assert_same_end(first, second, step):
    one, other = (read_snapshot(f"{folder}/model.ckpt-{step}") for folder in (first, second))
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize(
    ("run", "number"), [(SCAE, signal.SIGTERM), (EMORL, signal.SIGINT)], ids=["scae", "emorl"]
)
def test_faults(processes, tmp_path, run, number):
    (module, length, *flags), folder = run, tmp_path / "faulty"
    command = (module, *flags, f"--logdir={tmp_path}/{{name}}", "--name=faulty", f"{length}=100000")

    first = processes.start(*command)
    wait_for_a_snapshot(folder)
    second = processes.run(*command, "--overwrite")  # on the same folder
    assert re.search(rf"process {first[0]} on \S+ is running in {folder}", second.mistake)
    wait_for_a_snapshot(folder, after=steps_in(folder)[-1])  # the first was not disturbed
    os.kill(first[0], signal.SIGKILL)
    assert processes.wait(first).code == -signal.SIGKILL

    killed_at = steps_in(folder)[-1]
    again = processes.start(*command)
    wait_for_a_snapshot(folder, killed_at)
    os.kill(again[0], number)
    ended = processes.wait(again)
    assert f"resumes from step {killed_at}\n" in ended.stdout
    assert ended.code == 130
    told = re.fullmatch(
        rf"{number.name}: stopped after step (\d+), which {folder}/model\.ckpt-\1 holds; "
        "start the same command again to resume from there\n",
        ended.stderr,
    )
    *_, earlier, stopped_at = steps_in(folder)
    assert stopped_at == int(told[1])

    newest = folder / f"model.ckpt-{stopped_at}.data-00000-of-00001"
    os.truncate(newest, newest.stat().st_size - 3)
    last = stopped_at + 7
    ended = processes.run(*command, f"{length}={last}")
    assert ended.code == 0, ended.stderr
    warning = ended.stdout.splitlines()[0]
    assert re.match(rf"warning: .*-{stopped_at} is damaged: .*-{earlier} is used instead", warning)
    assert f"resumes from step {earlier}\n" in ended.stdout

    unbroken = processes.run(*command, "--name=unbroken", f"{length}={last}")
    assert unbroken.code == 0, unbroken.stderr
    assert_same_end(tmp_path / "unbroken", folder, last)
    assert metrics(tmp_path / "unbroken") == metrics(folder)

    if module == "scripts.train":
        scored = processes.run("scripts.eval_constellation", f"--snapshot={folder}", "--n_examples=50")
        assert scored.code == 0, scored.stderr
        scores = json.loads((folder / "eval" / f"eval_constellation-{last}.n_examples=50.json").read_text())
        assert scores["n_examples"] == 50
        assert 0.3 < scores["segmentation_accuracy"] <= 1.0


def test_a_killed_image_model_ends_like_an_unbroken_one(processes, trained, tmp_path):
    command = ("scripts.train", *TRAIN, "--snapshot_steps=1", f"--logdir={tmp_path}/{{name}}")
    process = processes.start(*command)
    wait_for_a_snapshot(tmp_path / "tiny")
    os.kill(process[0], signal.SIGKILL)
    assert processes.wait(process).code == -signal.SIGKILL, "it ended before it could be killed"
    ended = processes.run(*command)
    assert ended.code == 0, ended.stderr
    assert_same_end(trained, tmp_path / "tiny", 4)
    assert metrics(trained) == metrics(tmp_path / "tiny")
