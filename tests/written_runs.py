"""Runs' folders without a training: the flags of a model's options, and its weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from discovery import TrainableModel
from discovery.training.run_folder import write_flags
from discovery.training.save_and_resume import write_snapshot


def write_run(
    folder: Path, kind: str, config: Any, model: TrainableModel, step: int = 7, **flags: str
) -> str:
    """Writes what training would: every option of the dataclass `config` as a flag, and the weights.

    Returns:
        The snapshot's prefix.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = {name: _text(value) for name, value in dataclasses.asdict(config).items()}
    write_flags(folder, {"model": kind, **options, **flags})
    arrays = {weight.path: np.asarray(weight.value) for weight in model.weights}
    return write_snapshot(folder, step, {**arrays, "global_step": np.int64(step)})


def _text(value):
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
