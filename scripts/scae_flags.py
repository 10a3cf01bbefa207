"""Flags of the SCAE and constellation models and their data: their options, and what follows from these."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery import UserError
from discovery.experiments import experiment, experiments
from discovery.options import shaping
from stacked_capsules.data.config import DATASETS, DataConfig

from .help_text import topic
from .option_flags import define_flags, read_flags

if TYPE_CHECKING:
    from discovery import DataSource, TrainableModel

FLAGS = flags.FLAGS

PACKAGE = "stacked_capsules"
#: Options for steps that are run operation by operation.
_NOT_FOR_XLA = ("skip_absent_points", "encoder_lanes")


def define() -> None:
    """Defines the flags, grouped by what they shape."""
    define_flags(DataConfig)
    topic("Model and optimization")
    flags.DEFINE_string("model", "scae", f"One of {', '.join(experiments(PACKAGE))}.")
    for kind in experiments(PACKAGE).values():
        define_flags(kind.config)


def data_config(**values: Any) -> DataConfig:
    """Returns the data's options that the flags give; `values` override them.

    Raises:
        UserError: a flag cannot be read.
    """
    return read_flags(DataConfig, **values)


def load_data() -> DataSource:
    """Opens the data that the flags describe; where their classes have names, `--n_classes` is their number.

    Raises:
        UserError: a flag or a file is wrong.
    """
    from stacked_capsules.data import class_names, load

    if not FLAGS["n_classes"].present:
        FLAGS.n_classes = len(class_names(data_config())) or FLAGS.n_classes
    return load(data_config())


def load_training_data() -> DataSource:
    """Opens the data to train on."""
    return load_data()


def check() -> None:
    """Raises a UserError for flags that can be found wrong without TensorFlow."""
    if FLAGS.dataset not in DATASETS:
        raise UserError(
            f"--dataset={FLAGS.dataset}: there is no such data set; choose one of {', '.join(DATASETS)}"
        )
    data_config()
    model_config()


def model_config() -> Any:
    """Returns the model's options that the flags give.

    Raises:
        UserError: there is no such model, it cannot learn from the data set, or an option is out of range.
    """
    kind = experiment(FLAGS.model, PACKAGE)
    if (FLAGS.model == "constellation") != (FLAGS.dataset == "constellation"):
        raise UserError(f"--model={FLAGS.model} cannot learn from --dataset={FLAGS.dataset}")
    config = read_flags(kind.config)
    if "jit_compile" in FLAGS and FLAGS.jit_compile:  # XLA needs static shapes, and divides work itself
        fields = {field.name: field.default for field in dataclasses.fields(config)}
        config = dataclasses.replace(config, **{n: fields[n] for n in _NOT_FOR_XLA if n in fields})
    return config


def make_model() -> TrainableModel:
    """Builds the model that the flags describe.

    Raises:
        UserError: a flag is out of range.
    """
    return experiment(FLAGS.model, PACKAGE).make(model_config())


def architecture_flags() -> set[str]:
    """Returns the names of the flags that a resumed run may not change: they shape the model's variables."""
    return {"model"} | shaping(experiment(FLAGS.model, PACKAGE).config)
