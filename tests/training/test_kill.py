"""A run killed at any moment, and started again, ends like one that was not."""

import random
import subprocess
import sys
import time

import numpy as np
import pytest

from protocols.snapshots import read_snapshot

PROGRAM = """
import sys
from pathlib import Path
from tests.training.test_loop import run
run(Path(sys.argv[1]), max_train_steps=3000, snapshot_steps=5, log=lambda line: print(line, flush=True))
"""


def start(folder):
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_and_resumed_equals_unbroken(tmp_path):
    moments = random.Random()
    for _ in range(3):
        with start(tmp_path / "broken") as broken:
            next(line for line in broken.stdout if line.startswith("step"))  # let it get somewhere first
            time.sleep(moments.uniform(0.0, 0.5))
            broken.kill()
        assert broken.returncode < 0, "it ended before it could be killed: give it more steps"
    for name in ("broken", "unbroken"):
        with start(tmp_path / name) as process:
            assert any("step 3000" in line for line in process.stdout)
        assert process.returncode == 0
    one, other = (read_snapshot(f"{tmp_path}/{name}/model.ckpt-3000") for name in ("unbroken", "broken"))
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
