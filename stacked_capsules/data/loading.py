"""From options to batches: the single entry point to all data sets."""

from __future__ import annotations

from discovery import DataSource, Seed, UserError
from discovery.experiments import function
from stacked_capsules.data import constellation, image_folder, tfrecord
from stacked_capsules.data.affine_shifts import shifted
from stacked_capsules.data.batches import VALID_VARIANT, from_arrays
from stacked_capsules.data.config import DATASETS, IMAGE_SETS, VARIANTS, DataConfig
from stacked_capsules.data.epoch_order import DRAWN
from stacked_capsules.data.examples import ImageSets, check


def load(config: DataConfig) -> DataSource:
    """Opens a data set.

    Args:
        config: Which one, and how to batch it.

    Returns:
        Batches of {"image": float32 [B, canvas, canvas, C] in [0, 1], "label": int64 [B], "labeled": int64
        [B]}, the last two if the data have them; of constellations {"corners": float32 [B, N, 2],
        "presence": float32 [B, N], "pattern_presence": float32 [B, P], "pattern_id": int64 [B, N]}.

    Raises:
        UserError: An option is out of range, or data are missing, damaged or not what the options say.
    """
    _check_name(config)
    if config.batch_size < 1:
        raise UserError(f"--batch_size={config.batch_size}: must be at least 1")
    if config.epoch_order not in DRAWN:
        raise UserError(f"--epoch_order={config.epoch_order}: choose one of {', '.join(DRAWN)}")
    if config.variant is not None:
        _check_variant(config)
    if config.dataset == "constellation":
        return constellation.stream(config)
    classes = class_names(config)
    if classes and len(classes) != config.n_classes:
        raise UserError(f"{config.data_dir}: has {len(classes)} classes; set --n_classes={len(classes)}")
    sets = read_images(config)
    named = ("training", sets.train, sets.train_from), ("validation", sets.valid, sets.valid_from)
    for name, examples, place in named:
        check(examples, f"{config.dataset}, {name} set {place}", config)
    if config.variant is not None:
        sets = _with_variant(sets, config)
    source = from_arrays(
        sets.train,
        sets.valid,
        batch_size=config.batch_size,
        canvas_size=config.canvas_size,
        seed=config.seed,
        shuffle=config.shuffle,
        epoch_order=config.epoch_order,
    )
    return source._replace(sets=_in_words(sets), classes=classes)


def read_images(config: DataConfig) -> ImageSets:
    """Reads a data set of images as it is stored, unless that needs resizing; `load` checks and batches it.

    Raises:
        UserError: There is no such data set of images, or files are missing or damaged.
    """
    _check_name(config)
    sets = function(IMAGE_SETS[config.dataset])(config)
    return sets if config.n_train is None else sets._replace(train=_first(sets.train, config))


def class_names(config: DataConfig) -> tuple[str, ...]:
    """Returns the names of the labels, for image files those of their folders; empty if they have none.

    Raises:
        UserError: It is unclear which they are, or there are no images.
    """
    if config.dataset == "images":
        return image_folder.find(config).classes
    if config.dataset == "tfrecord" and config.data_dir is not None:
        return tfrecord.class_names(config)
    return ()


def _check_name(config):
    if config.dataset not in DATASETS:
        raise UserError(
            f"--dataset={config.dataset}: there is no such data set; choose one of {', '.join(DATASETS)}"
        )


def _in_words(sets: ImageSets) -> dict[str, str]:
    """Describes how many images each set has, and where they come from."""
    told = {"train": (sets.train, sets.train_from), "valid": (sets.valid, sets.valid_from)}
    return {name: f"{len(examples['image']):,} images {place}" for name, (examples, place) in told.items()}


def _check_variant(config):
    if config.variant not in VARIANTS:
        raise UserError(f"--variant={config.variant}: choose one of {', '.join(VARIANTS)}")
    if config.dataset == "constellation":
        raise UserError(f"--variant={config.variant}: shifts images; constellations have no variants")


def _with_variant(sets, config):
    """Returns the sets with validation images shifted, each once and for all."""
    # Not of the run's seed: runs are compared on the same images.
    images = shifted(sets.valid["image"], config.variant, Seed.of(0).fold(VALID_VARIANT))
    told = f"{sets.valid_from} ({config.variant})"
    return sets._replace(valid=sets.valid | {"image": images}, valid_from=told)


def _first(train, config):
    """Returns as many of the training examples as requested."""
    n_stored = len(train["image"])
    if not 1 <= config.n_train <= n_stored:
        raise UserError(
            f"--n_train={config.n_train}: {config.dataset} has {n_stored:,} training examples; "
            f"choose 1 to {n_stored}, or leave the flag out for all of them"
        )
    return {name: values[: config.n_train] for name, values in train.items()}
