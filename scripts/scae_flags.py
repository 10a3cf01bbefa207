"""Flags of the SCAE and constellation models and their data; names and defaults are the original's."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery import UserError
from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.data.config import DATASETS, NAMED_GROUPS, DataConfig

from .help_text import topic

if TYPE_CHECKING:
    from discovery import DataSource, TrainableModel

FLAGS = flags.FLAGS

#: --model -> its options.
MODELS = {"scae": SCAEConfig, "constellation": ConstellationConfig}
#: Options for steps that are run operation by operation.
_NOT_FOR_XLA = ("skip_absent_points", "encoder_lanes")


def define() -> None:
    """Defines them, grouped by what they shape."""
    topic("Data")
    flags.DEFINE_string(
        "dataset", "mnist", "mnist, digits, constellation, tfrecord, images, svhn or cifar10."
    )
    flags.DEFINE_string("data_dir", None, "Folder with prepared TFDS data, mnist.npz, TFRecords or images.")
    flags.DEFINE_string("valid_file", None, "tfrecord: the validation file, where it is not in --data_dir.")
    flags.DEFINE_integer("batch_size", 32, "Global batch size, over all replicas.")
    flags.DEFINE_integer(
        "canvas_size", 28, "Side of the image; files are resized to it, others shifted in it."
    )
    flags.DEFINE_integer("n_channels", 1, "Number of input channels.")
    flags.DEFINE_integer("n_classes", 10, "Number of labels; of images: of their sub-folders.", lower_bound=1)
    flags.DEFINE_boolean("shuffle", True, "Shuffles the training set anew each epoch; the original did not.")
    flags.DEFINE_string(
        "epoch_order",
        "swaps",
        "Images: how that order is drawn: swaps, or a sort, which exported steps do without storing it.",
    )
    flags.DEFINE_integer("n_train", None, "Images: only the first so many for training.", lower_bound=1)

    topic("Constellations")
    flags.DEFINE_string(
        "which_patterns",
        "0,1,0",
        "Pattern of each object: 0 square, 1 triangle, 2 pentagon, 3 L; 0+1 a compound; or basic, or all.",
    )
    flags.DEFINE_boolean("shuffle_corners", True, "Puts the points of an example in random order.")
    flags.DEFINE_float("gaussian_noise", 0.0, "Standard deviation of noise on points.")
    flags.DEFINE_float("drop_prob", 0.5, "Probability that an object is absent.")
    flags.DEFINE_float("max_translation", 1.0, "Range of translations.")
    flags.DEFINE_float("rotation_percent", 0.5, "Rotations are within +-pi times it.")
    flags.DEFINE_float("max_scale", 3.0, "Objects are up to 1 + it times as large as their pattern.")
    flags.DEFINE_float("min_scale", 3.0, "With --use_scale_schedule: the same at the start.")
    flags.DEFINE_boolean("use_scale_schedule", False, "Lets the range of scales grow.")
    flags.DEFINE_integer("schedule_steps", 0, "Over how many steps it grows.")

    topic("Model and optimization")
    flags.DEFINE_string("model", "scae", "scae or constellation.")
    flags.DEFINE_float("lr", 1e-4, "Learning rate.", lower_bound=0.0)
    flags.DEFINE_boolean("use_lr_schedule", True, "Multiplies it by 0.96 every 10,000 steps, continuously.")
    flags.DEFINE_float("weight_decay", 0.0, "Weight of the kernels' l2 loss.")

    flags.DEFINE_string("precision", "float32", "float32, or mixed_bfloat16 for the convolutions.")

    flags.DEFINE_string(
        "pixel_likelihood",
        "auto",
        "Images are scored in blocks, which fit into a CPU's cache, or as whole batches, for GPUs; auto: "
        "as the device that trains.",
    )

    topic("Part capsules")
    flags.DEFINE_string("encoder_type", "conv_att", "Pools an image's features: conv_att, conv or linear.")
    flags.DEFINE_integer("template_size", 11, "Side of a template.")
    flags.DEFINE_integer("n_part_caps", 16, "Number of part capsules.")
    flags.DEFINE_integer("n_part_caps_dims", 6, "Dimensions of a part's pose.")
    flags.DEFINE_integer("n_part_special_features", 16, "Number of special features of a part.")
    flags.DEFINE_list("cnn_strides", ["2", "2", "1", "1"], "Strides of the convolutions before them.")
    flags.DEFINE_boolean("colorize_templates", False, "Infers each template's colour from the image.")
    flags.DEFINE_boolean(
        "use_alpha_channel", False, "Learns mixing logits per template pixel; otherwise its values are they."
    )
    flags.DEFINE_string("template_nonlin", "relu1", "Nonlinearity on templates.")
    flags.DEFINE_string("color_nonlin", "relu1", "Nonlinearity on template colours.")
    flags.DEFINE_boolean("learn_output_scale", False, "Learns the scale of pixel noise; else it is 1.")
    flags.DEFINE_string("prep", "none", "What is reconstructed: none (the image) or sobel (its edges).")
    flags.DEFINE_string("vote_type", "enc", "Poses it is made of: enc (seen), soft or hard (of the votes).")
    flags.DEFINE_string("pres_type", "enc", "Presences it is made of: enc, soft or hard.")

    topic("Object capsules")
    flags.DEFINE_integer("n_obj_caps", 10, "Number of object capsules.")
    flags.DEFINE_integer("n_obj_caps_params", 32, "Dimensions of an object's parameters.")
    flags.DEFINE_float("caps_dropout_rate", 0.0, "Probability that training drops an object capsule.")
    flags.DEFINE_boolean("feed_templates", True, "Shows templates to the object encoder.")
    flags.DEFINE_boolean("stop_grad_caps_inpt", True, "No gradient from the object encoder to the parts.")
    flags.DEFINE_boolean("stop_grad_caps_target", True, "No gradient from parts' likelihood to the parts.")
    flags.DEFINE_float(
        "special_features_gradient",
        1.0,
        "Factor of the gradient from the object encoder to the parts' special features (S27).",
        lower_bound=0.0,
    )
    flags.DEFINE_float(
        "presence_noise", 4.0, "Width of the noise on object capsules' presence logits.", lower_bound=0.0
    )
    flags.DEFINE_string("presence_mask", "as_run", "as_run or log: how part presences mask attention (S25).")

    topic("Constellation model")
    flags.DEFINE_integer("n_caps", 3, "Number of capsules.")
    flags.DEFINE_integer("n_votes", 4, "Number of votes of a capsule.")
    flags.DEFINE_integer("n_caps_params", 32, "Dimensions of a capsule's parameters.")
    flags.DEFINE_string("decoder", "capsule", "capsule, or plain for the baseline without geometry.")
    flags.DEFINE_boolean(
        "skip_absent_points", False, "Encodes present points alone; not under XLA; constellation only."
    )
    flags.DEFINE_integer(
        "encoder_lanes", 1, "Parts of a batch encoded at once; constellation only, not under XLA."
    )

    topic("Loss")
    flags.DEFINE_string("prior_sparsity_loss_type", "l2", "l2, entropy or kl; images only.")
    flags.DEFINE_string("posterior_sparsity_loss_type", "entropy", "l2, entropy or kl; images only.")
    flags.DEFINE_float("prior_within_example_sparsity_weight", 1.0, "Loss weight.")
    flags.DEFINE_float("prior_between_example_sparsity_weight", 1.0, "Loss weight.")
    flags.DEFINE_float(
        "prior_within_example_constant", 0.0, "Objects wanted per example; 0: n_obj_caps / n_classes (S1)."
    )
    flags.DEFINE_float("posterior_within_example_sparsity_weight", 10.0, "Loss weight.")
    flags.DEFINE_float("posterior_between_example_sparsity_weight", 10.0, "Loss weight.")
    flags.DEFINE_float("caps_ll_weight", 1.0, "Loss weight of the parts' likelihood; images only.")
    flags.DEFINE_float("primary_caps_sparsity_weight", 0.0, "Loss weight of parts' presences; images only.")
    flags.DEFINE_float("mixing_kl_weight", 0.0, "Loss weight; constellation only.")
    flags.DEFINE_float("sparsity_weight", 10.0, "Loss weight; constellation only.")
    flags.DEFINE_float("dynamic_l2_weight", 10.0, "Loss weight of deformations.")
    flags.DEFINE_string(
        "capsule_presence", "binary", "binary or soft: what the constellation's prior sparsity sees (S28)."
    )
    flags.DEFINE_string(
        "posterior_points", "all", "all or present: points of the constellation's posterior sparsity (S38)."
    )
    flags.DEFINE_boolean("eval_noise", False, "Noise at evaluation too, as the original has it (S5).")


def data_config(**values: Any) -> DataConfig:
    """Returns the data's options that the flags give; `values` go before them.

    Raises:
        UserError: a flag cannot be read.
    """
    patterns = {"which_patterns": read_patterns(FLAGS.which_patterns)}
    return DataConfig(**(_fields_from_flags(DataConfig) | patterns | values))


def load_data() -> DataSource:
    """Opens the data that the flags describe; where their classes have names, `--n_classes` is their number.

    Raises:
        UserError: a flag or a file is wrong.
    """
    from stacked_capsules.data import class_names, load

    if not FLAGS["n_classes"].present:
        FLAGS.n_classes = len(class_names(data_config())) or FLAGS.n_classes
    return load(data_config())


def check() -> None:
    """Raises a UserError for flags of which none needs TensorFlow to be found wrong."""
    if FLAGS.dataset not in DATASETS:
        raise UserError(
            f"--dataset={FLAGS.dataset}: there is no such data set; choose one of {', '.join(DATASETS)}"
        )
    read_patterns(FLAGS.which_patterns)
    _model_config()


def make_model() -> TrainableModel:
    """Builds the model that the flags describe.

    Raises:
        UserError: a flag is out of range.
    """
    from stacked_capsules.experiments import make_constellation, make_scae

    config = _model_config()
    return {"scae": make_scae, "constellation": make_constellation}[FLAGS.model](config)


def _model_config():
    if FLAGS.model not in MODELS:
        raise UserError(f"--model={FLAGS.model}: there is no such model; choose one of {', '.join(MODELS)}")
    if (FLAGS.model == "constellation") != (FLAGS.dataset == "constellation"):
        raise UserError(f"--model={FLAGS.model} cannot learn from --dataset={FLAGS.dataset}")
    config_class = MODELS[FLAGS.model]
    try:
        strides = tuple(int(stride) for stride in FLAGS.cnn_strides)
    except ValueError:
        raise UserError(f"--cnn_strides={','.join(FLAGS.cnn_strides)}: give integers, 2,2,1,1 say") from None
    values = _fields_from_flags(config_class)
    if "cnn_strides" in values:
        values["cnn_strides"] = strides
    if "jit_compile" in FLAGS and FLAGS.jit_compile:  # XLA asks for static shapes, and shares out work itself
        values = {name: value for name, value in values.items() if name not in _NOT_FOR_XLA}
    return config_class(**values)


def architecture_flags() -> set[str]:
    """Returns the names of the flags that a resumed run may not change: they shape the model's variables."""
    shaping = {
        *("canvas_size", "n_channels", "n_classes", "template_size", "n_part_caps", "n_part_caps_dims"),
        *("n_part_special_features", "encoder_type", "cnn_strides", "colorize_templates"),
        *("use_alpha_channel", "learn_output_scale", "n_obj_caps", "n_obj_caps_params", "feed_templates"),
        *("n_caps", "n_votes", "n_caps_params", "decoder"),
    }
    fields = {field.name for field in dataclasses.fields(MODELS[FLAGS.model])}
    return {"model"} | (shaping & fields)


def read_patterns(text: str) -> str | tuple[tuple[int, ...], ...]:
    """Reads "0,1+2" as ((0,), (1, 2)); names of sets of patterns stay.

    Raises:
        UserError: it is neither.
    """
    if text in NAMED_GROUPS:
        return text
    try:
        return tuple(tuple(int(pattern) for pattern in group.split("+")) for group in text.split(","))
    except ValueError:
        known = ", ".join(NAMED_GROUPS)
        raise UserError(f"--which_patterns={text}: give {known}, or one number for each object") from None


def _fields_from_flags(config_class):
    names = [field.name for field in dataclasses.fields(config_class) if field.name in FLAGS]
    return {name: FLAGS[name].value for name in names if FLAGS[name].value is not None}
