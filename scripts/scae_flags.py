"""Flags of the SCAE and constellation models and their data; names and defaults are the original's."""

from absl import flags

FLAGS = flags.FLAGS


def define() -> None:
    """Defines them, grouped by what they shape."""
    # Data
    flags.DEFINE_string("dataset", "mnist", "mnist, digits, constellation, tfrecord, svhn or cifar10.")
    flags.DEFINE_string("data_dir", None, "Folder with prepared TFDS data, mnist.npz or TFRecord files.")
    flags.DEFINE_integer("batch_size", 32, "Global batch size, over all replicas.")
    flags.DEFINE_integer(
        "canvas_size", 28, "Side of the image that the model sees; smaller images are shifted in it."
    )
    flags.DEFINE_integer("n_channels", 1, "Channels of the images.")
    flags.DEFINE_integer("n_classes", 10, "Number of labels; only probes and l2 sparsity use it.")
    flags.DEFINE_boolean("shuffle", True, "Shuffles the training set anew each epoch; the original did not.")

    # Which model
    flags.DEFINE_string("model", "scae", "scae or constellation.")

    # Optimisation
    flags.DEFINE_float("lr", 1e-4, "Learning rate.")
    flags.DEFINE_boolean("use_lr_schedule", True, "Multiplies it by 0.96 every 10,000 steps, continuously.")
    flags.DEFINE_float("weight_decay", 0.0, "Weight of the kernels' l2 loss.")

    # Parts
    flags.DEFINE_integer("template_size", 11, "Side of a template.")
    flags.DEFINE_integer("n_part_caps", 16, "Number of part capsules.")
    flags.DEFINE_integer("n_part_caps_dims", 6, "Dimensions of a part's pose.")
    flags.DEFINE_integer("n_part_special_features", 16, "Special features of each part.")
    flags.DEFINE_boolean("colorize_templates", False, "Infers each template's colour from the image.")
    flags.DEFINE_boolean(
        "use_alpha_channel",
        False,
        "Learns mixing logits per template pixel; otherwise its values are the logits.",
    )
    flags.DEFINE_string("template_nonlin", "relu1", "Nonlinearity on templates.")
    flags.DEFINE_string("color_nonlin", "relu1", "Nonlinearity on template colours.")
    flags.DEFINE_enum("prep", "none", ["none", "sobel"], "What is reconstructed: the image or its edges.")

    # Objects
    flags.DEFINE_integer("n_obj_caps", 10, "Number of object capsules.")
    flags.DEFINE_integer("n_obj_caps_params", 32, "Parameters of each object capsule.")
    flags.DEFINE_enum(
        "presence_mask", "as_run", ["as_run", "log"], "How part presences mask attention (S25)."
    )

    # Loss weights
    flags.DEFINE_float("prior_within_example_sparsity_weight", 1.0, "Loss weight.")
    flags.DEFINE_float("prior_between_example_sparsity_weight", 1.0, "Loss weight.")
    flags.DEFINE_float(
        "prior_within_example_constant",
        0.0,
        "Object capsules wanted per image; 0: n_obj_caps / n_classes (S1).",
    )
    flags.DEFINE_float("posterior_within_example_sparsity_weight", 10.0, "Loss weight.")
    flags.DEFINE_float("posterior_between_example_sparsity_weight", 10.0, "Loss weight.")
    flags.DEFINE_float("mixing_kl_weight", 0.0, "Loss weight, constellation only.")
    flags.DEFINE_float("sparsity_weight", 10.0, "Loss weight, constellation only.")
    flags.DEFINE_float("dynamic_l2_weight", 10.0, "Loss weight of deformations.")
    flags.DEFINE_enum(
        "capsule_presence",
        "binary",
        ["binary", "soft"],
        "What the constellation's prior sparsity sees (S28).",
    )

    # Noise
    flags.DEFINE_boolean(
        "eval_noise", False, "Adds presence noise at evaluation too, as the original does (S5)."
    )
