"""The options of data, with the original's names and defaults where it has them."""

from __future__ import annotations

import dataclasses

from discovery import UserError
from discovery.options import option, same_option
from stacked_capsules.configuration import SCAEConfig

#: Data set of images -> "module:function" that reads, given the options, both sets into memory.
IMAGE_SETS = {
    "mnist": "stacked_capsules.data.mnist:read",
    "digits": "stacked_capsules.data.digits:read",
    "svhn": "stacked_capsules.data.tfds_images:read_svhn",
    "cifar10": "stacked_capsules.data.tfds_images:read_cifar10",
    "tfrecord": "stacked_capsules.data.tfrecord:read",
    "images": "stacked_capsules.data.image_folder:read",
}
DATASETS = (*IMAGE_SETS, "constellation")
#: How evaluation may shift validation images.
VARIANTS = ("rotation", "scale", "translation")
#: Named sets of constellation patterns.
NAMED_GROUPS = {"basic": ((0,), (1,)), "all": ((0,), (1,), (2,), (3,))}


def read_patterns(text: str) -> str | tuple[tuple[int, ...], ...]:
    """Reads "0,1+2" as ((0,), (1, 2)); names of sets of patterns are returned as is.

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


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Options of `load`, which checks them."""

    dataset: str = option("mnist", f"Data set: {', '.join(DATASETS)}.", topic="Data")
    data_dir: str | None = option(
        None, "Folder with prepared TFDS data, mnist.npz, TFRecords or images.", path=True
    )
    valid_file: str | None = option(
        None, "tfrecord: the validation file, if it is not in --data_dir.", path=True
    )
    batch_size: int = option(32, "Global batch size, over all replicas.")
    canvas_size: int = same_option(SCAEConfig, "canvas_size")
    n_channels: int = same_option(SCAEConfig, "n_channels")
    n_classes: int = same_option(SCAEConfig, "n_classes")
    seed: int = option(0, "Seed of the order, the shifts and the constellations.", flag=False)
    shuffle: bool = option(True, "Reshuffles the training set each epoch; the original did not.")
    epoch_order: str = option(
        "swaps",
        "Images: how that order is drawn: swaps, or a sort, which exported steps can do without storing it.",
    )
    n_train: int | None = option(None, "Images: trains on only the first n_train of them.")

    variant: str | None = option(
        None,
        "Shifts validation images as in affNIST, and leaves those of training: rotation by up to 20 degrees, "
        "scale of 0.8 to 1.2, translation within the image.",
        choices=VARIANTS,
        flag=False,
    )

    which_patterns: str | tuple[tuple[int, ...], ...] = option(
        ((0,), (1,), (0,)),
        "Pattern of each object: 0 square, 1 triangle, 2 pentagon, 3 L; 0+1 a compound; or basic, or all.",
        topic="Constellations",
        text="0,1,0",
        read=read_patterns,
    )
    shuffle_corners: bool = option(True, "Puts the points of an example in random order.")
    gaussian_noise: float = option(0.0, "Standard deviation of noise on points, before normalization.")
    drop_prob: float = option(0.5, "Probability that an object is absent.")
    max_translation: float = option(1.0, "Translations are uniform in [0, 24 * max_translation).")
    rotation_percent: float = option(0.5, "Rotations are within +-pi * rotation_percent.")
    max_scale: float = option(3.0, "Objects are up to 1 + max_scale times as large as their pattern.")
    min_scale: float = option(3.0, "With --use_scale_schedule: max_scale at the start.")
    use_scale_schedule: bool = option(False, "Lets the range of scales grow from --min_scale to --max_scale.")
    schedule_steps: int = option(0, "Number of steps over which it grows.")
    n_examples: int = option(10_000, "Number of examples in a whole set of constellations.", flag=False)
