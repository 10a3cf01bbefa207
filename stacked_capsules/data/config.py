"""What a user can choose about data; names and defaults are the original's where it has them."""

from __future__ import annotations

import dataclasses

DATASETS = ("mnist", "digits", "svhn", "cifar10", "tfrecord", "images", "constellation")
#: Patterns of constellations that have a name.
NAMED_GROUPS = {"basic": ((0,), (1,)), "all": ((0,), (1,), (2,), (3,))}


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Options of `load`.

    Attributes:
        dataset: mnist, digits, svhn, cifar10, tfrecord, images or constellation.
        data_dir: Where the bytes are; what it may point at depends on the data set, see docs/data.md.
        batch_size: Examples of a global batch.
        canvas_size: Side of the square image that the model sees; image files are resized to it, smaller
            images of other sets are shifted in it.
        n_channels: Channels that the images must have; image files are made gray (1) or color (3).
        n_classes: Labels must lie in [0, n_classes).
        seed: Seed of the order, the shifts and the constellations.
        shuffle: Whether the training set comes in a new order each epoch; False is the original's.
        epoch_order: images: how that order is drawn, by "swaps" or by a "sort", see `epoch_order.py`.
        n_train: images: take only the first so many training examples; None: all.
        valid_file: tfrecord: validation records; by default looked for in `data_dir`.
        shuffle_corners: constellation: whether the points of an example come in random order.
        gaussian_noise: constellation: standard deviation of noise on coordinates, before normalisation.
        max_translation: constellation: translations are uniform in [0, 24 * max_translation).
        rotation_percent: constellation: rotations are uniform within +-pi * rotation_percent.
        which_patterns: constellation: "basic" (square, triangle), "all" (and pentagon, L), or one group of
            pattern ids 0..3 per object; a group of several is a compound, see `constellation.layout`.
        drop_prob: constellation: probability that an object is absent.
        max_scale: constellation: scales are uniform in [1, 1 + max_scale).
        min_scale: constellation: what a schedule has in place of `max_scale` at first.
        use_scale_schedule: constellation: whether the range of scales grows from `min_scale` to `max_scale`.
        schedule_steps: constellation: over how many steps.
        n_examples: constellation: how many examples `whole` has.
    """

    dataset: str = "mnist"
    data_dir: str | None = None
    batch_size: int = 32
    canvas_size: int = 28
    n_channels: int = 1
    n_classes: int = 10
    seed: int = 0
    shuffle: bool = True
    epoch_order: str = "swaps"
    n_train: int | None = None
    valid_file: str | None = None
    shuffle_corners: bool = True
    gaussian_noise: float = 0.0
    max_translation: float = 1.0
    rotation_percent: float = 0.5
    which_patterns: str | tuple[tuple[int, ...], ...] = ((0,), (1,), (0,))
    drop_prob: float = 0.5
    max_scale: float = 3.0
    min_scale: float = 3.0
    use_scale_schedule: bool = False
    schedule_steps: int = 0
    n_examples: int = 10_000
