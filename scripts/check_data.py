"""Says what is in the data, before anyone trains on them, and draws ten examples.

Images:            python -m scripts.check_data --dataset=mnist --data_dir=DIR
Scenes:            python -m scripts.check_data --dataset=tetrominoes --data_path=FILE.h5
Generated scenes:  python -m scripts.check_data --dataset=multi_dsprites
Your own images:   python -m scripts.check_data --dataset=images --data_dir=FOLDER
Your own scenes:   python -m scripts.check_data --data_path=FOLDER
As in training:    python -m scripts.check_data --flagfile=configs/clevr6.flags --data_path=FILE.h5

It reads all of both sets and prints their files with checksums, how many examples there are, sizes, ranges of
values, labels or objects, factors, and whether masks give each pixel to exactly one entity. Any flag of
training may follow. Data that training would refuse make it end with an error, after all is printed.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from discovery import UserError
from discovery.experiments import experiment
from discovery.image_folders import SUFFIXES
from emorl.data import DATASETS as SCENE_SETS
from emorl.data import FACTORS
from stacked_capsules.data import DATASETS as IMAGE_SETS

from . import emorl_flags, entry_point, scae_flags, training_flags, training_script
from .help_text import asks_for_help

if TYPE_CHECKING:
    import tensorflow as tf

    from emorl.data import DataConfig
    from emorl.data.scene_summary import SceneSummary

FLAGS = flags.FLAGS

#: A picture, uint8 [height, width, 3], and what is wrong with the data.
Checked = tuple[np.ndarray, list[str]]

_SHOWN = 10  # examples in the picture
_GENERATED = 320  # training scenes that are drawn where there is no file and no --n_train
_CONSTELLATIONS = 1000  # of each set
_VALUES = 12  # of a discrete factor, and sizes of image files, that a line tells
_SETS = {"train": "training", "valid": "validation"}

flags.DEFINE_string("out", "", "PNG file for a picture of ten examples; empty: data-DATASET.png.")
flags.DEFINE_integer(
    "n_listed", 20, "Of more files than so many, one checksum of all is printed.", lower_bound=0
)


def define_flags(arguments: list[str]) -> None:
    """Defines the flags of the training script that belongs to the data.

    Raises:
        UserError: it is unclear which data are meant.
    """
    names = ("model", "dataset", "data_dir", "data_path", "h5_path")
    given = {name: training_flags.before_defined(name, arguments) for name in names}
    if any(given.values()):
        training_script.of_model(_model(**given))
        FLAGS.set_default("name", "data")  # there is no run
    elif not asks_for_help(arguments):
        raise UserError(
            "--dataset is missing: name a data set, or give --data_path=FOLDER with scenes of yours"
        )


def _model(model: str, dataset: str, data_dir: str, data_path: str, h5_path: str) -> str:
    """Returns a kind of model that learns from such data."""
    if model:
        return model
    if data_path or h5_path:
        return "EfficientMORL"
    if dataset in SCENE_SETS and dataset in IMAGE_SETS and not data_dir:
        raise UserError(f"--dataset={dataset}: give --data_dir=FOLDER or, for scenes, --data_path=FOLDER")
    if dataset in IMAGE_SETS or not dataset:
        return "constellation" if dataset == "constellation" else "scae"
    if dataset in SCENE_SETS:
        return "EfficientMORL"
    known = ", ".join(dict.fromkeys([*IMAGE_SETS, *SCENE_SETS]))
    raise UserError(f"--dataset={dataset}: there is no such data set; choose one of {known}")


def main(_: list[str]) -> None:
    """Prints what is in the data, and draws the picture."""
    from PIL import Image

    if experiment(FLAGS.model).package == emorl_flags.PACKAGE:
        picture, problems = _scenes()
    else:
        picture, problems = _constellations() if FLAGS.dataset == "constellation" else _images()
    path = Path(FLAGS.out or f"data-{FLAGS.dataset}.png").expanduser()
    try:
        Image.fromarray(picture).save(path, format="PNG", optimize=True)
    except OSError as error:
        raise UserError(f"--out={path}: cannot be written ({error})") from None
    print(f"{path.absolute()}: a picture of the first examples")
    if problems:
        raise UserError("; ".join(problems))


def _images() -> Checked:
    """Images with labels, as they are stored."""
    from emorl.plots import scenes_picture
    from stacked_capsules.data import class_names
    from stacked_capsules.data.examples import check
    from stacked_capsules.data.loading import read_images
    from stacked_capsules.data.mnist import KERAS_SHA256

    config = scae_flags.data_config()
    sets, classes = read_images(config), class_names(config)
    is_npz = FLAGS.dataset == "mnist" and sets.files[0].suffix == ".npz"
    _print_files(sets.files, {"keras/src/datasets/mnist.py": KERAS_SHA256} if is_npz else {})
    problems = []
    both = (("train", sets.train, sets.train_from), ("valid", sets.valid, sets.valid_from))
    labels = [examples["label"] for _, examples, _ in both if "label" in examples]
    n_classes = len(classes) or 1 + max((int(of.max()) for of in labels if of.size), default=0)
    for name, examples, place in both:
        images = examples["image"]  # [N, H, W, C]
        print(f"{_SETS[name]}: {len(images):,} images {place}")
        print(f"  images: {_shape(images.shape[1:])}, {images.dtype} {_range(images)}")
        for column in ("label", "labeled"):
            if column in examples:
                values = examples[column]  # [N]
                names = dict(enumerate(classes)) if column == "label" else {}
                print(f"  {column}: {values.dtype}, {_counts(Counter(values.tolist()), names)}")
        height, width, channels = images.shape[1:]
        fitting = {"n_channels": channels, "canvas_size": max(height, width, config.canvas_size)}
        try:
            check(examples, _SETS[name], dataclasses.replace(config, n_classes=n_classes, **fitting))
        except UserError as error:
            problems.append(str(error))
    side = max(sets.train["image"].shape[1:3])
    more = f" --n_classes={n_classes}" if labels else ""
    print(f"to train: --canvas_size={side} or more, --n_channels={sets.train['image'].shape[-1]}{more}")
    shown = sets.valid["image"][:_SHOWN]
    if shown.dtype != np.uint8:
        shown = np.rint(255 * np.clip(np.nan_to_num(shown), 0, 1)).astype(np.uint8)
    return scenes_picture(shown if shown.shape[-1] in (1, 3) else shown[..., :1]), problems


def _constellations() -> Checked:
    """Points that are generated."""
    from stacked_capsules.data import load
    from stacked_capsules.plots.constellation_model import points_picture

    data = load(scae_flags.data_config(n_examples=_CONSTELLATIONS))
    _print_files(())
    for name, title in _SETS.items():
        batches = list(data.whole(name).as_numpy_iterator())
        examples = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
        corners = examples["corners"]  # [N, P, 2]
        print(f"{title}: {len(corners):,} examples, {data.sets[name]}")
        print(f"  points: {corners.shape[1]} of 2 coordinates, {corners.dtype} {_range(corners)}")
        print(f"  points present: {_counts(Counter(examples['presence'].sum(axis=1).astype(int).tolist()))}")
        n_objects = examples["pattern_presence"].sum(axis=1).astype(int)  # [N]
        print(f"  objects per example: {_counts(Counter(n_objects.tolist()))}")
    return points_picture(*(examples[key][:_SHOWN] for key in ("corners", "presence", "pattern_id"))), []


def _scenes() -> Checked:
    """Scenes, with masks and factors where they have them."""
    from emorl.data.loading import files_of
    from emorl.data.scene_summary import summarize

    config = emorl_flags.data_config(check_masks=False)
    if not (config.data_path or config.h5_path) and config.n_train is None:
        config = dataclasses.replace(config, n_train=_GENERATED)
    _print_files(files_of(config))
    if config.completed().max_objects is not None:
        print(f"scenes with more than {config.completed().max_objects} objects are passed over")
    picture, problems, missing, n_slots, shape = None, [], [], 0, None
    for name, title in _SETS.items():
        try:
            scenes, place, lacks = _opened(config, name)
        except UserError as error:
            print(f"{title}: none ({error})")
            missing.append(error)
            continue
        summary = summarize(scenes.as_numpy_iterator())
        print(f"{title}: {place}; {summary.n:,} read")
        _print_scenes(summary, lacks)
        problems += _problems(summary, title)
        n_slots, shape = max(n_slots, 1 + max(summary.objects, default=0)), summary.shape
        picture = _picture(scenes)
    if picture is None:
        raise missing[0]
    height, width, channels = shape
    if height != width:
        problems.append(f"images of {height}x{width} pixels: crop or pad them, they must be square")
    more = f" --K={n_slots} or more" if n_slots > 1 else ""
    print(f"to train: --input_size={channels},{height},{width}{more}")
    return picture, problems


def _opened(config: DataConfig, name: str) -> tuple[tf.data.Dataset, str, list[str]]:
    """Returns a set with all it has, where it lies, and why it lacks masks or factors.

    Raises:
        UserError: there is no such set.
    """
    why: dict[tuple[bool, bool], UserError] = {}
    for masks, factors in ((True, True), (True, False), (False, True), (False, False)):
        try:
            source = _source(dataclasses.replace(config, masks=masks, factors=factors))
            scenes = source.whole(name)
        except UserError as error:
            why[masks, factors] = error
        else:
            lacks = [] if masks else [f"masks: none ({why[True, factors]})"]
            lacks += [] if factors else [f"factors: none ({why[masks, True]})"]
            return scenes, source.sets[name], lacks
    raise why[False, False]


@functools.cache
def _source(config):
    from emorl.data import load

    return load(config)


def _print_scenes(summary: SceneSummary, lacks: Sequence[str]) -> None:
    """Prints what a set holds."""
    values = f"{summary.low:.3g} to {summary.high:.3g}, mean {summary.mean:.3g}"
    print(
        f"  images: {_shape(summary.shape)}, float32 {values}; {255 * summary.low:.0f} to "
        f"{255 * summary.high:.0f} as bytes"
    )
    masks = summary.masks
    if masks:
        entities, height, width = masks.shape
        print(f"  masks: {entities} entities, {height}x{width}, values {', '.join(map(str, masks.values))}")
        print(f"  pixels in several entities: {masks.overlaps:,}, in {masks.overlap_scenes:,} scenes")
        print(f"  pixels in none: {masks.gaps:,}, in {masks.gap_scenes:,} scenes")
    if summary.objects:
        print(f"  objects per scene: {_counts(summary.objects)}")
    if summary.factors is not None:
        print(f"  factors of {len(summary.factors):,} visible objects:")
        for line in _factor_lines(summary.factors):
            print(f"    {line}")
    for line in lacks:
        print(f"  {line}")


def _factor_lines(factors: np.ndarray) -> Iterable[str]:
    """Describes each column of [M, F] but visibility, the last, which is 1 for all of them."""
    known = FACTORS.get(FLAGS.dataset, ())
    for i, values in enumerate(factors.T[:-1] if len(factors) else ()):
        named = len(known) == factors.shape[1]
        name, kind = known[i] if named else (f"column {i}", "of unknown kind")
        distinct = np.unique(values)
        told = f", {len(distinct)} values" if kind == "discrete" else ""
        if kind == "discrete" and len(distinct) <= _VALUES:
            told += f": {', '.join(f'{value:g}' for value in distinct)}"
        yield f"{name}: {kind}, {_range(values)}{told}"


def _problems(summary: SceneSummary, title: str) -> list[str]:
    """Says what is wrong with the scenes of a set."""
    problems, masks = [], summary.masks
    if masks and (masks.overlaps or masks.gaps):
        problems.append(
            f"{title}: masks are no partition: {masks.overlaps:,} pixels are in several entities, "
            f"{masks.gaps:,} in none"
        )
    if masks and set(masks.values) - {0} not in ({1}, {255}):
        values = ", ".join(map(str, masks.values))
        problems.append(f"{title}: masks have values {values}; expected 0 and 1, or 0 and 255")
    if summary.factors is not None and not np.isfinite(summary.factors).all():
        problems.append(f"{title}: factors hold values that are not finite")
    return problems


def _picture(scenes: tf.data.Dataset) -> np.ndarray:
    """Draws the first scenes, and their masks where there are any."""
    from emorl.plots import scenes_picture

    batch = next(scenes.unbatch().batch(_SHOWN).as_numpy_iterator())
    images, masks = np.rint(255 * batch["image"]).astype(np.uint8), batch.get("mask")
    if masks is not None:  # of CLEVR they are larger
        rows, columns = (
            (2 * np.arange(side) + 1) * stored // (2 * side)
            for side, stored in zip(images.shape[1:3], masks.shape[2:], strict=True)
        )
        masks = masks[:, :, rows[:, None], columns] > 0  # [N, E, H, W]
    return scenes_picture(images, masks)


def _print_files(files: Sequence[Path], published: dict[str, str] | None = None) -> None:
    """Prints files with their checksums; `published` holds that of the only one, by where it is stated."""
    from discovery.checksums import sha256_of, sha256_of_all

    if not files:
        print("files: none, examples are generated")
        return
    total = sum(path.stat().st_size for path in files if path.is_file())
    print(f"files: {len(files):,}, {total:,} bytes")
    if len(files) > FLAGS.n_listed:
        digest, root = sha256_of_all(files)
        print(f"  in {root}; sha256 of what `sha256sum` prints there for ./NAME, sorted by name:")
        print(f"  {digest}; no published checksum known")
    else:
        for path in files:
            digest = sha256_of(path)
            print(f"  {path}: sha256 {digest}; {_compared(digest, published or {})}")
    sizes = Counter(filter(None, map(_stored_size, files)))
    if sizes:
        few = sizes.most_common(_VALUES)
        told = ", ".join(f"{n:,} of {size}" for size, n in few)
        print(f"  pixels of image files: {told}{', ...' if len(sizes) > len(few) else ''}")


def _compared(digest, published):
    for source, expected in published.items():
        if digest == expected:
            return f"as published ({source})"
        return f"differs from the published one, {expected} ({source})"
    return "no published checksum known"


def _stored_size(path):
    """The size and mode of an image file; None: it is none."""
    from PIL import Image

    if path.suffix.lower() not in SUFFIXES:
        return None
    try:
        with Image.open(path) as image:
            return f"{image.height}x{image.width} ({image.mode})"
    except OSError:  # reading it says what is wrong
        return None


def _shape(shape):
    height, width, channels = shape
    return f"{height}x{width}, {channels} channel{'s' if channels > 1 else ''}"


def _range(values):
    return f"{values.min():.4g} to {values.max():.4g}, mean {values.mean(dtype=np.float64):.4g}"


def _counts(counts, names=None):
    """Tells each value and how often it occurs."""
    named = {value: f"{value} {names[value]}" if value in (names or {}) else value for value in counts}
    return ", ".join(f"{named[value]}: {counts[value]:,}" for value in sorted(counts))


def check() -> None:
    """Raises a UserError for flags that can be found wrong without TensorFlow."""
    if experiment(FLAGS.model).package == emorl_flags.PACKAGE:
        emorl_flags.data_config().completed()
    else:
        scae_flags.data_config()


if __name__ == "__main__":
    entry_point.run(main, define_flags, check=check)
