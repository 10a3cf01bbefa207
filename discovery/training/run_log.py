"""What a run reports: smoothed metrics, `metrics.jsonl`, TensorBoard, pictures, a progress bar."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from discovery.snapshots import REPORT_PREFIX
from discovery.training.pictures_over_time import forget_after, keep_small_copy
from discovery.training.run_folder import METRICS_FILE
from discovery.whole_files import writing


class MovingAverages:
    """Exponential moving averages without the bias of their start at zero (Kingma & Ba 2015, section 3).

    After values x_1 .. x_n the average is sum_i (1 - d) d^(n - i) x_i / (1 - d^n): the weights sum to one. A
    metric may come and go with the phases of a training; only those of the last update are reported.
    """

    def __init__(self, decay: float, names_and_state: Mapping[str, np.ndarray] | None = None):
        """Starts empty, or from what `state` returned (other names are ignored)."""
        self._decay = decay
        self._biased_and_count = {
            name.removeprefix(REPORT_PREFIX): (float(pair[0]), float(pair[1]))
            for name, pair in (names_and_state or {}).items()
            if name.startswith(REPORT_PREFIX)
        }

    def update(self, values: Mapping[str, float]) -> None:
        """Takes in one value of every metric."""
        old = self._biased_and_count
        self._biased_and_count = {}
        for name, value in values.items():
            biased, count = old.get(name, (0.0, 0.0))
            biased += (float(value) - biased) * (1.0 - self._decay)
            self._biased_and_count[name] = (biased, count + 1.0)

    def averages(self) -> dict[str, float]:
        """Returns the averages by name; empty before the first update."""
        pairs = self._biased_and_count.items()
        return {name: biased / (1.0 - self._decay**count) for name, (biased, count) in pairs}

    def state(self) -> dict[str, np.ndarray]:
        """Returns arrays by name that a snapshot can hold: [biased average, number of updates]."""
        pairs = self._biased_and_count.items()
        return {f"{REPORT_PREFIX}{name}": np.array(pair, np.float64) for name, pair in pairs}


class RunLog:
    """Writes a run's `metrics.jsonl`, TensorBoard events and pictures.

    A resumed run cuts `metrics.jsonl` and `plots/over_time` back to its snapshot: no step is reported twice.

    Attributes:
        seconds: training time according to the last line that is kept.
    """

    def __init__(self, folder: Path, step: int):
        """Opens the folder's files for a run that has taken `step` steps."""
        self._folder = folder
        self._lines = folder / METRICS_FILE
        with writing(folder / "events.*"):
            self._writer = tf.summary.create_file_writer(os.fspath(folder))
        self.seconds = self._cut_back(step)
        with writing(folder / "plots"):
            forget_after(folder / "plots", step)

    def report(self, step: int, scalars: Mapping[str, float]) -> None:
        """Appends one line to `metrics.jsonl`, or nothing."""
        line = json.dumps({"step": step, **scalars}).encode() + b"\n"
        with writing(self._lines), open(self._lines, "ab", buffering=0) as file:
            end = file.tell()
            try:
                while line:
                    line = line[file.write(line) :]
            except OSError:
                file.truncate(end)
                raise

    def summary(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes scalars for TensorBoard."""
        with writing(self._folder / "events.*"), self._writer.as_default():
            for name, value in scalars.items():
                # Not as Python numbers: TensorFlow keeps a tensor for each of those forever.
                tf.summary.scalar(name, np.array(value, np.float32), step=np.array(step, np.int64))
            self._writer.flush()

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Writes uint8 pictures [H, W, 3] to `plots/<name>.png`, over earlier ones, and for TensorBoard.

        Small copies of some steps stay in `plots/over_time`.
        """
        folder = self._folder / "plots"
        with writing(folder), self._writer.as_default():
            folder.mkdir(exist_ok=True)
            for name, picture in pictures.items():
                _write_picture(folder / f"{name}.png", picture)
                keep_small_copy(folder, name, step, picture)
                tf.summary.image(name, picture[None], step=np.array(step, np.int64))
            self._writer.flush()

    def close(self) -> None:
        """Closes the TensorBoard file."""
        self._writer.close()

    def _cut_back(self, step):
        if not self._lines.exists():
            return 0.0
        kept, seconds = [], 0.0
        for line in self._lines.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                told = json.loads(line)
                if int(told["step"]) <= step:
                    seconds = float(told.get("seconds", seconds))
                    kept.append(line)
            except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
                continue  # a killed run's last line, or damage
        with writing(self._lines):
            unfinished = self._folder / f"{METRICS_FILE}.tmp"
            unfinished.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            os.replace(unfinished, self._lines)
        return seconds


class SilentLog:
    """Takes the place of `RunLog` in workers that are not the chief."""

    seconds = 0.0

    def report(self, step: int, scalars: Mapping[str, float]) -> None:
        """Does nothing."""

    def summary(self, step: int, scalars: Mapping[str, float]) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


def _write_picture(path, picture):
    """Writes all of a PNG or nothing."""
    unfinished = path.with_name(f".{path.name}")
    try:
        Image.fromarray(picture).save(unfinished, format="PNG")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def progress_bar(step: int, max_steps: int, name: str, shown: bool = True) -> tqdm:
    """Returns a bar with rate and time left; silent where standard error is no terminal, or not `shown`."""
    disable = None if shown else True
    return tqdm(total=max_steps, initial=step, desc=name, unit="step", disable=disable, file=sys.stderr)
