"""Trains the toy: `python -m tests.training.toy_run FOLDER STEPS SNAPSHOT_STEPS`."""

import sys
from pathlib import Path

from tests.training.test_loop import run

if __name__ == "__main__":
    folder, steps, snapshot_steps = sys.argv[1:]
    run(Path(folder), max_train_steps=int(steps), snapshot_steps=int(snapshot_steps), log=print)
