"""A user's own images, as a folder of PNG and JPEG files; subfolders are classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from discovery import UserError
from discovery.image_files import check_not_black, read_images
from discovery.image_folders import ImageFolder, find_images
from stacked_capsules.data import tfrecord
from stacked_capsules.data.config import DataConfig
from stacked_capsules.data.examples import Examples, ImageSets

_NAMED = 10  # classes that a line lists


def read(config: DataConfig) -> ImageSets:
    """Returns training and validation images of the folder `data_dir`, cropped and resized to the canvas."""
    if config.n_channels not in (1, 3):
        raise UserError(f"--n_channels={config.n_channels}: image files are read as gray (1) or color (3)")
    if config.canvas_size < 1:
        raise UserError(f"--canvas_size={config.canvas_size}: must be at least 1")
    found = find(config)
    both: list[Examples] = []
    for image_set in (found.train, found.valid):
        examples = {"image": read_images(image_set.paths, config.canvas_size, config.n_channels)}
        if found.classes:
            examples["label"] = np.array(image_set.labels, np.int64)  # [N]
        both.append(examples)
    check_not_black(both[0]["image"], config.data_dir)
    return ImageSets(*both, *_in_words(config, found), (*found.train.paths, *found.valid.paths))


def pack(config: DataConfig, folder: Path) -> ImageSets:
    """Writes what `read` returns as TFRecords, with the names of classes, for `--dataset=tfrecord`.

    Args:
        config: Options of the images.
        folder: Where to write; created if missing.

    Returns:
        What was read.

    Raises:
        UserError: An image cannot be read, or a file cannot be written.
    """
    sets = read(config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, examples in (("train", sets.train), ("valid", sets.valid)):
            tfrecord.write(folder / f"{name}.tfrecord", examples["image"], examples.get("label"))
        names, classes = folder / tfrecord.CLASSES_FILE, find(config).classes
        names.unlink(missing_ok=True)
        if classes:
            names.write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"{folder}: cannot be written ({' '.join(str(error).split())})") from None
    return sets


def find(config: DataConfig) -> ImageFolder:
    """Finds the images, without reading them."""
    if config.data_dir is None:
        raise UserError("--dataset=images: set --data_dir to a folder of PNG or JPEG files")
    if Path(config.data_dir).expanduser().is_file():
        raise UserError(f"{config.data_dir}: is a file; set --data_dir to the folder that holds the images")
    return find_images(config.data_dir)


def _in_words(config, found):
    """Describes where each set comes from, and how it is processed."""
    size, color = config.canvas_size, "gray" if config.n_channels == 1 else "color"
    told = [f"{name} ({i})" for i, name in enumerate(found.classes)]
    classes = ", ".join(told[:_NAMED]) + (", ..." if len(told) > _NAMED else "") or "none"
    train = f"in {found.train.root}, the center square as {size}x{size} in {color}; classes: {classes}"
    return train, found.valid_from
