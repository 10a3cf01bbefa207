"""Measures how long reproduction scripts take from the command to the first training step.

    python -m benchmarks.startup --script=run_mnist.sh -- --data_dir=FOLDER_OF_MNIST_NPZ
    python -m benchmarks.startup --script=run_tetrominoes.sh

Arguments after `--` go to the script. The whole command is timed up to the line that reports step 1; its
parts are timed separately, imports in a process of their own, so they need not add up to it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from absl import flags

from benchmarks.cases import CASES, timed
from discovery import UserError
from scripts import entry_point

FLAGS = flags.FLAGS


class Script(NamedTuple):
    """A reproduction script.

    Attributes:
        module: what it runs.
        case: of `benchmarks.cases`, its training.
        one_step: the flag that ends it after one step.
    """

    module: str
    case: str
    one_step: str


SCRIPTS = {
    "run_mnist.sh": Script("scripts.train", "scae_mnist_train", "--max_train_steps=1"),
    "run_constellation.sh": Script("scripts.train", "scae_constellation_train", "--max_train_steps=1"),
    "run_tetrominoes.sh": Script("scripts.train_emorl", "emorl_tetrominoes_train", "--iters=1"),
}
_ROOT = Path(__file__).parent.parent

flags.DEFINE_enum("script", None, list(SCRIPTS), "Which one.")
flags.mark_flag_as_required("script")


def main(arguments: list[str]) -> None:
    """Prints seconds: of the whole command, and of its parts."""
    name = FLAGS.script
    script = SCRIPTS[name]
    whole = until_first_step(name, script, arguments[1:])
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {script.module}"], check=True, capture_output=True)
    seconds = {"imports": time.perf_counter() - start}
    start = time.perf_counter()
    workload = CASES[script.case](*arguments[1:])
    seconds["model"] = time.perf_counter() - start
    start = time.perf_counter()
    call = workload.on_pipeline()
    seconds["data"] = time.perf_counter() - start
    seconds["first step, traced and compiled"] = timed(call)
    parts = ", ".join(f"{part} {value:.1f}" for part, value in seconds.items())
    print(f"{name}: {whole:.1f} s to the first step; parts: {parts}")


def until_first_step(name: str, script: Script, arguments: list[str]) -> float:
    """Returns the seconds from the command to the line of step 1.

    Raises:
        UserError: the script failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [str(_ROOT / name), f"--logdir={folder}/{{name}}", script.one_step, *arguments]
        start, told = time.perf_counter(), []
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout:
                told.append(line)
                if line.startswith("step 1:"):
                    seconds = time.perf_counter() - start
                    process.communicate()
                    return seconds
    raise UserError(f"{name} failed: {''.join(told[-1:]).strip()}; run it alone")


if __name__ == "__main__":
    entry_point.run(main, takes_arguments=True)
