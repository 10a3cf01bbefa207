"""Models by name: untrained from a configuration, or trained from a run or pretrained weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from discovery.experiments import configs, experiments, function
from discovery.flag_files import (
    FLAGS_FILE,
    options_of,
    read_config,
    read_flag_file,
    read_run_flags,
    replaced,
)
from discovery.pretrained import find_pretrained
from discovery.snapshots import find_snapshot, restore_model
from discovery.trainable_model import TrainableModel


def build(package: str, name: str, seed: int = 0, **options: Any) -> TrainableModel:
    """Builds the model of a configuration, with initial weights.

    Args:
        package: the package that has the model.
        name: name of a file in `configs/`.
        seed: seed of the initial weights.
        **options: other values for fields of the model's options.

    Raises:
        UserError: there is no such configuration or option, or it belongs to another package.
    """
    flags = read_config(name, configs(package))
    kind = experiments()[flags["model"]]
    return kind.make(replaced(options_of(kind.config, flags), options), seed)


def load_run(package: str, path: str | Path) -> TrainableModel:
    """Loads the model of a run.

    Args:
        package: the package that has the model.
        path: the run's folder, for its newest snapshot, or the prefix of a snapshot.

    Raises:
        UserError: there is no run or no snapshot, its files are damaged, or it belongs to another package.
    """
    snapshot = find_snapshot(path, configs(package))
    flags = read_run_flags(Path(snapshot).parent, configs(package))
    kind = experiments()[flags["model"]]
    model = kind.make(options_of(kind.config, flags))
    step = restore_model(snapshot, model)
    if kind.after_restoring:
        function(kind.after_restoring)(model, flags, step)
    return model


def package_of_run(folder: Path) -> str:
    """Returns the package whose `load_run` loads a run, or says what is wrong with it."""
    path = folder / FLAGS_FILE
    model = read_flag_file(path).get("model", "") if path.exists() else ""
    known = experiments()
    return known[model].package if model in known else next(iter(known.values())).package


def load_pretrained(package: str, name: str) -> TrainableModel:
    """Loads a model whose trained weights come with the packages.

    Args:
        package: the package that has the model.
        name: name of a folder in `pretrained/`.

    Raises:
        UserError: there are no such weights, or they belong to another package.
    """
    return load_run(package, find_pretrained(name, configs(package)))
