"""Flags of EfficientMORL, Slot Attention and their data: their options, and what follows from these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery import UserError
from discovery.experiments import experiment, experiments
from discovery.options import shaping
from emorl.data.config import DataConfig

from .help_text import topic
from .option_flags import define_flags, read_flags

if TYPE_CHECKING:
    from discovery import DataSource, TrainableModel

FLAGS = flags.FLAGS

PACKAGE = "emorl"
_SCENE_FILES = (".h5", ".tfrecords")  # a folder of these is not one of images; `--h5_path` names one


def define() -> None:
    """Defines the flags, grouped as the original groups its options."""
    define_flags(DataConfig)
    topic("Model")  # the original's Net.*
    flags.DEFINE_string("model", "EfficientMORL", f"One of {', '.join(experiments(PACKAGE))}.")
    for kind in experiments(PACKAGE).values():
        define_flags(kind.config)


def data_config(**values: Any) -> DataConfig:
    """Returns the data's options that the flags give; `values` override them.

    A folder as `--data_path`, without `--h5_path` and `--dataset`, makes `--dataset` "images".
    """
    if FLAGS.data_path and not FLAGS.h5_path and not FLAGS["dataset"].present:
        folder = Path(FLAGS.data_path)
        if folder.is_dir() and not any(path.suffix in _SCENE_FILES for path in folder.iterdir()):
            FLAGS.dataset = "images"
    return read_flags(DataConfig, **values)


def load_data(**values: Any) -> DataSource:
    """Opens the data that the flags describe; `values` override them.

    Raises:
        UserError: a flag or a file is wrong, or its images do not have `--input_size`.
    """
    from emorl.data import load

    config = data_config(**values)
    data = load(config)
    try:
        images = data.train(0).element_spec["image"]
    except UserError:  # there are no training scenes
        images = data.whole("valid").element_spec["image"]
    _, height, width, channels = images.shape
    where = FLAGS.data_path or f"--dataset={FLAGS.dataset}"
    if height != width:
        raise UserError(f"{where}: images of {height}x{width} pixels; crop or pad them, they must be square")
    if tuple(config.input_size) != (channels, height, width):
        raise UserError(
            f"{where}: images of {height}x{width} pixels and {channels} channels, but "
            f"--input_size={','.join(FLAGS.input_size)}: set it to {channels},{height},{width}"
        )
    return data


def load_training_data() -> DataSource:
    """Opens the data to train on, without masks and factors, which only evaluations need."""
    return load_data(factors=False, masks=False)


def check() -> None:
    """Raises a UserError for flags that can be found wrong without TensorFlow."""
    data_config().completed()
    model_config()


def model_config() -> Any:
    """Returns the model's options that the flags give.

    Raises:
        UserError: there is no such model, or an option is out of range.
    """
    return read_flags(experiment(FLAGS.model, PACKAGE).config)


def make_model() -> TrainableModel:
    """Builds the model that the flags describe, its weights drawn from `--seed`.

    Raises:
        UserError: a flag is out of range.
    """
    return experiment(FLAGS.model, PACKAGE).make(model_config(), FLAGS.seed)


def architecture_flags() -> set[str]:
    """Returns the names of the flags that a resumed run may not change: they shape the variables."""
    return {"model"} | shaping(experiment(FLAGS.model, PACKAGE).config)
