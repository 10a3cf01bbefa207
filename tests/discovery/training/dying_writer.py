"""Writes snapshots in FOLDER and is killed before its n-th operation on files.

`python -m tests.discovery.training.dying_writer FOLDER n`. TensorFlow writes both files in
one such operation.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from discovery.training import save_and_resume

KEEP = 2


def arrays_at(step: int) -> dict[str, np.ndarray]:
    """Returns what the snapshot of a step holds."""
    return {"a": np.full([3, 5], step, np.float32), "global_step": np.int64(step)}


def count_down(n: int) -> None:
    """Makes the n-th operation on files from now on the last one."""
    left = iter(range(n - 1, -1, -1))

    def dying(operation):
        def call(*args, **kwargs):
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*args, **kwargs)

        return call

    for module, name in ((os, "replace"), (os, "fsync"), (os, "remove"), (Path, "write_text")):
        setattr(module, name, dying(getattr(module, name)))
    tf.raw_ops.SaveV2 = dying(tf.raw_ops.SaveV2)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for step in (1, 2):
        save_and_resume.write_snapshot(folder, step, arrays_at(step), KEEP)
    count_down(int(sys.argv[2]))
    save_and_resume.write_snapshot(folder, 3, arrays_at(3), KEEP)
