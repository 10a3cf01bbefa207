"""What a run says before its first step and after its last one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from discovery import TrainableModel
from discovery.experiments import experiments
from discovery.installation import command
from discovery.training.run_folder import REPORT_FILE


def opening(
    folder: Path,
    model: TrainableModel,
    sets: Mapping[str, str],
    device: str,
    steps: tuple[int, int],
    batch_size: int,
) -> list[str]:
    """Returns the lines before the first step.

    Args:
        folder: the run's folder.
        model: a built model.
        sets: what training and validation sets hold, as `DataSource.sets`.
        device: where the run computes.
        steps: steps taken already, and steps wanted.
        batch_size: examples per step.
    """
    done, wanted = steps
    begun = f", {done:,} of them taken" if done else ""
    return [
        f"run:        {folder}",
        f"model:      {type(model).__name__}, {n_parameters(model):,} parameters",
        *([f"training:   {sets['train']}"] if "train" in sets else []),
        *([f"validation: {sets['valid']}"] if "valid" in sets else []),
        f"device:     {device}",
        f"steps:      {wanted:,} of {batch_size} examples{begun}; the first takes a while to compile",
    ]


def closing(folder: Path, step: int, model_kind: str) -> list[str]:
    """Returns the lines after the last step: where the results are, and what to do next."""
    kind = experiments().get(model_kind)
    lines = [f"done:       {step:,} steps; open {folder / REPORT_FILE}"]
    evaluations = kind.evaluations if kind else ()
    return lines + [f"score it:   {command(name)} --snapshot={quote(str(folder))}" for name in evaluations]


def time_left(steps: int, steps_per_second: float) -> str:
    """Returns about how long so many steps take, as "40 s", "12 min" or "3.4 h"."""
    return duration(steps / max(steps_per_second, 1e-9))


def duration(seconds: float) -> str:
    """Returns a time in the unit that is easiest to read."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def n_parameters(model: TrainableModel) -> int:
    """Returns how many numbers a model learns."""
    return sum(int(weight.shape.num_elements()) for weight in (w.value for w in model.trainable_weights))
