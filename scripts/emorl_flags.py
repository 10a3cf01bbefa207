"""Flags of EfficientMORL, Slot Attention and their data: the original's options under their last names."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery import UserError
from emorl.configuration import EMORLConfig, SlotAttentionConfig
from emorl.data.config import DataConfig

from .help_text import topic

if TYPE_CHECKING:
    from discovery import DataSource, TrainableModel

FLAGS = flags.FLAGS

#: --model -> its options.
MODELS = {"EfficientMORL": EMORLConfig, "SlotAttention": SlotAttentionConfig}

_SCENE_FILES = (".h5", ".tfrecords")  # a folder of these is not one of images; `--h5_path` names one


def define() -> None:
    """Defines them, grouped as the original groups its options."""
    topic("Data")  # the original's dataset.*
    flags.DEFINE_string(
        "dataset",
        "tetrominoes",
        "tetrominoes, multi_dsprites, clevr6, clevr6_128, clevrtex; images: scenes of your own.",
    )
    flags.DEFINE_string(
        "data_path", "", "An .h5 or .tfrecords file, or a folder, of images say; empty: the generator."
    )
    flags.DEFINE_string("h5_path", "", "Name of the file, where --data_path is a folder.")
    flags.DEFINE_boolean("masks", False, "Without effect: an evaluation reads masks where it needs them.")
    flags.DEFINE_boolean("factors", False, "Without effect: an evaluation reads factors where it needs them.")
    flags.DEFINE_string("clevr_preprocess_style", None, "clevr-small (96 pixels) or clevr-large (128).")
    flags.DEFINE_string("clevrtex_variant", "full", "Which CLEVRTEX.")
    flags.DEFINE_integer("batch_size", 16, "Global batch size, over all replicas.")
    flags.DEFINE_boolean("shuffle", True, "Shuffles stored training scenes anew each epoch.")
    flags.DEFINE_integer("n_train", None, "Scenes of the training set, for generators and TFRecords.")
    flags.DEFINE_integer("n_test", 320, "Scenes of the test set, for generators and TFRecords.")

    topic("Model")  # the original's Net.*
    flags.DEFINE_string("model", "EfficientMORL", "EfficientMORL or SlotAttention.")
    flags.DEFINE_integer("K", 4, "Number of slots.")
    flags.DEFINE_list("input_size", ["3", "64", "64"], "Channels, height and width of the images.")
    flags.DEFINE_integer("z_size", 64, "Size of a slot.")
    flags.DEFINE_string("image_decoder", "iodine", "small, iodine or big.")
    flags.DEFINE_string("precision", "float32", "float32, or mixed_bfloat16 for the convolutions.")
    flags.DEFINE_float("init_gain", 0.02, "Gain of most initial weights; with 1 small runs find objects.")
    flags.DEFINE_string("image_likelihood", "Gaussian", "Gaussian or GMM.")
    flags.DEFINE_integer("stochastic_layers", 3, "Layers of the bottom-up inference, L in the paper.")
    flags.DEFINE_integer(
        "refinement_iters", 3, "Refinement steps, I in the paper; training has a curriculum."
    )
    flags.DEFINE_float("log_scale", -2.3025850929940455, "Log of the likelihood's standard deviation.")
    flags.DEFINE_boolean("use_DualGRU", True, "A GRU each for means and variances.")
    flags.DEFINE_boolean("bottom_up_prior", False, "The prior of a layer conditions on the one below.")
    flags.DEFINE_boolean("reverse_prior_plusplus", True, "Refined posteriors are held against p(z1 | z2).")

    topic("GECO")  # of the original's training.*, but part of the model here
    flags.DEFINE_boolean("use_geco", True, "The reconstruction is a constraint, not a term of the loss.")
    flags.DEFINE_float("geco_reconstruction_target", -23000, "NLL to reach, per colour value of an image.")
    flags.DEFINE_float("geco_ema_alpha", 0.99, "Weight of the past in the constraint's moving average.")
    flags.DEFINE_float("geco_beta_stepsize", 1e-6, "Step size of the multiplier.")
    flags.DEFINE_float("geco_step_size_acceleration", 1.0, "Its factor once the target is beaten.")
    flags.DEFINE_integer("geco_warm_start", 1000, "First step of GECO.")
    flags.DEFINE_float("kl_beta_init", 1.0, "Weight of the KL.")


def data_config(**values: Any) -> DataConfig:
    """Returns the data's options that the flags give; `values` go before them.

    A folder as `--data_path`, without more, makes `--dataset` "images".
    """
    if FLAGS.data_path and not FLAGS.h5_path and not FLAGS["dataset"].present:
        folder = Path(FLAGS.data_path).expanduser()
        if folder.is_dir() and not any(path.suffix in _SCENE_FILES for path in folder.iterdir()):
            FLAGS.dataset = "images"
    return DataConfig(**(_fields_from_flags(DataConfig) | {"input_size": _input_size()} | values))


def load_data(**values: Any) -> DataSource:
    """Opens the data that the flags describe; `values` go before them.

    Raises:
        UserError: a flag or a file is wrong, or its images are not of `--input_size`.
    """
    from emorl.data import load

    data = load(data_config(**values))
    try:
        images = data.train(0).element_spec["image"]
    except UserError:  # there are no training scenes
        images = data.whole("valid").element_spec["image"]
    _, height, width, channels = images.shape
    where = FLAGS.data_path or f"--dataset={FLAGS.dataset}"
    if height != width:
        raise UserError(f"{where}: images of {height}x{width} pixels; crop or pad them, they must be square")
    if _input_size() != (channels, height, width):
        raise UserError(
            f"{where}: images of {height}x{width} pixels and {channels} channels, but "
            f"--input_size={','.join(FLAGS.input_size)}: set it to {channels},{height},{width}"
        )
    return data


def check() -> None:
    """Raises a UserError for flags of which none needs TensorFlow to be found wrong."""
    data_config().completed()
    _model_config()


def make_model(seed: int = 0) -> TrainableModel:
    """Builds the model that the flags describe, its weights drawn from `seed`.

    Raises:
        UserError: a flag is out of range.
    """
    from emorl.experiments import make_efficient_morl, make_slot_attention

    config = _model_config()
    make = {"EfficientMORL": make_efficient_morl, "SlotAttention": make_slot_attention}[FLAGS.model]
    return make(config, seed=seed)


def _model_config():
    if FLAGS.model not in MODELS:
        raise UserError(f"--model={FLAGS.model}: there is no such model; choose one of {', '.join(MODELS)}")
    config_class = MODELS[FLAGS.model]
    return config_class(**(_fields_from_flags(config_class) | {"input_size": _input_size()}))


def architecture_flags() -> set[str]:
    """Returns the names of the flags that a resumed run may not change: they shape the variables."""
    return {
        *("model", "K", "input_size", "z_size", "image_decoder", "stochastic_layers", "use_DualGRU"),
        *("bottom_up_prior", "reverse_prior_plusplus", "image_likelihood"),
    }


def _input_size():
    try:
        return tuple(int(number) for number in FLAGS.input_size)
    except ValueError:
        raise UserError(f"--input_size={','.join(FLAGS.input_size)}: give integers, 3,64,64 say") from None


def _fields_from_flags(config_class):
    names = [field.name for field in dataclasses.fields(config_class) if field.name in FLAGS]
    return {name: FLAGS[name].value for name in names if FLAGS[name].value is not None}
