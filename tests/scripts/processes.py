"""Runs the real scripts, each in a process of its own, all forked from one that has imported TensorFlow."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).parents[2]

#: Reads one order per line: start a script in a new process, or wait for one; answers with one line each.
_SERVER = """
import gc, json, os, runpy, sys
sys.path[0] = sys.argv[1]
import scripts.scae_flags, scripts.training_flags, scripts.entry_point  # whatever takes long, and no script
import stacked_capsules.evaluation.image_evaluation, stacked_capsules.plots, sklearn.datasets
import discovery.training.loop
gc.freeze()  # or every process would copy all of it

while line := sys.stdin.readline():
    order = json.loads(line)
    if "wait" in order:
        answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
    else:
        answer = os.fork()
        if answer == 0:
            for number, name in ((0, os.devnull), (1, order["stdout"]), (2, order["stderr"])):
                os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
            os.environ.update(order["environment"])
            os.chdir("/")  # scripts work from any folder
            sys.argv = [order["module"], *order["flags"]]
            runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
            sys.exit(0)
    print(json.dumps(answer), flush=True)
"""


class Ended(NamedTuple):
    """A script that has ended.

    Attributes:
        code: exit code; the negative number of a signal.
        stdout: what it printed.
        stderr: likewise.
    """

    code: int
    stdout: str
    stderr: str

    @property
    def mistake(self) -> str:
        """The one line that says what is wrong; it must be all that there is."""
        assert self.code == 1, self.stdout + self.stderr
        assert self.stderr.startswith("error: ")
        assert self.stderr.count("\n") == 1, self.stderr
        return self.stderr.strip()


class Processes:
    """Starts `python -m <module> <flags>` as often as wanted."""

    def __init__(self, folder: Path):
        """Starts the process that the others are forked from; they print into files in `folder`."""
        self._folder = folder
        self._numbers = itertools.count()
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(REPO)],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, module: str, *flags: object) -> Ended:
        """Runs a module to its end."""
        return self.wait(self.start(module, *flags))

    def start(self, module: str, *flags: object, **environment: str) -> tuple[int, Path]:
        """Starts a module; returns the process's number and the stem of the files that it prints into."""
        stem = self._folder / str(next(self._numbers))
        files = {name: str(stem.with_suffix(f".{name}")) for name in ("stdout", "stderr")}
        order = {"module": module, "flags": [str(flag) for flag in flags], "environment": environment}
        return self._ask({**order, **files}), stem

    def wait(self, process: tuple[int, Path]) -> Ended:
        """Waits for the end of what was started."""
        number, stem = process
        code = self._ask({"wait": number})
        return Ended(code, *(stem.with_suffix(f".{name}").read_text() for name in ("stdout", "stderr")))

    def close(self) -> None:
        """Ends the process that all others came from."""
        self._server.communicate()

    def _ask(self, order):
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())
