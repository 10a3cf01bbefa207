"""What both training scripts do: they build, open and train what the flags describe."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery.experiments import experiment, experiments, function

from . import entry_point, training_flags
from .option_flags import define_flags, read_flags

if TYPE_CHECKING:
    import numpy as np

    from discovery import DataSource, TrainableModel
    from discovery.distributed.replicas import Replicas
    from discovery.training.optimization import Optimization
    from discovery.training.train_config import TrainConfig

FLAGS = flags.FLAGS

#: Flags that name a step at which something begins.
_STARTS = ("objects_from", "parts_until", "cosine_from")


def of_model(model: str) -> ModuleType:
    """Returns the script that trains a kind of model; importing it defines its flags.

    Raises:
        UserError: there is no such model.
    """
    return importlib.import_module(f"{__package__}.{experiment(model).script}")


def define_learning(package: str) -> None:
    """Defines the flags that say how the models of a package learn."""
    for kind in experiments(package).values():
        define_flags(kind.training)


def learning_options() -> Any:
    """Returns how the model learns, as the flags say.

    Raises:
        UserError: a flag is out of range, or several do not fit together.
    """
    return read_flags(experiment(FLAGS.model).training)


def recipe(described: ModuleType, replicas: Replicas) -> tuple[TrainableModel, DataSource, Optimization]:
    """Returns the model that the flags describe, what it learns from, and how.

    Args:
        described: the module of the flags of models and data.
        replicas: where the model's variables are.
    """
    options = learning_options()
    data = described.load_training_data()
    with replicas.scope():
        model = described.make_model()
    return model, data, function(experiment(FLAGS.model).recipe)(model, options, FLAGS.batch_size)


def train_as_described(
    described: ModuleType,
    config: TrainConfig,
    folder: Path,
    begin_with: str,
    weights_alone: bool,
    prepare: Callable[[DataSource], DataSource] = lambda data: data,
    more_plots: Callable[[], Mapping[str, np.ndarray]] = dict,
    bar: bool = True,
) -> None:
    """Trains; data and model come before the run's folder is touched, so that mistakes show first.

    Args:
        described: the module of the flags of models and data.
        config: the settings.
        folder: the run's folder.
        begin_with: the snapshot that a new run begins with, if any.
        weights_alone: take only its weights.
        prepare: what is done with the data.
        more_plots: draws pictures besides those of the model.
        bar: show a progress bar, where standard error is a terminal.
    """
    from discovery.reports.report_page import write_report
    from discovery.training.loop import train

    entry_point.make_deterministic(FLAGS.deterministic)
    replicas = training_flags.replicas(FLAGS.batch_size)
    model, data, how = recipe(described, replicas)
    data = prepare(data)
    kind = experiment(FLAGS.model)
    plots = function(kind.plots)
    training_flags.warn_of_slow_precision()
    training_flags.warn_of_late_starts(config.max_train_steps, *(name for name in _STARTS if name in FLAGS))
    shaping = described.architecture_flags()
    with training_flags.prepared_folder(folder, replicas, shaping, model, begin_with):
        train(
            model,
            data,
            config,
            folder,
            **how._asdict(),
            replicas=replicas,
            plots=lambda model, batch, step: plots(model, batch) | more_plots(),
            report=write_report,
            flags=training_flags.as_text(),
            facts=training_flags.facts() | {"data": dict(data.sets), "classes": data.classes},
            begin_with=begin_with,
            weights_alone=weights_alone,
            bar=bar,
        )
