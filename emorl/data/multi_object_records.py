"""DeepMind's Multi-Object Datasets: GZIP TFRecords, distinguished by their first record."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from discovery import DataSource, Seed, UserError
from emorl.data.clevr import object_count
from emorl.data.config import FACTORS, DataConfig
from emorl.data.masks import check_partition
from emorl.data.stored import pure_batches

SIGNATURE = b"\x1f\x8b"  # of GZIP

_WINDOW_BYTES = 64 * 2**20  # of records that are shuffled together

_PROBED = 8  # scenes whose masks are checked at once; the others when they are read


class Layout(NamedTuple):
    """How a file's records are laid out.

    Attributes:
        dataset: "tetrominoes", "multi_dsprites" or "clevr6".
        image: Height, width and channels.
        n_entities: Number of entities, including the background.
    """

    dataset: str
    image: tuple[int, int, int]
    n_entities: int


#: All published files; multi_dsprites are binarized, colored on gray, and colored on colored.
LAYOUTS = (
    Layout("tetrominoes", (35, 35, 3), 4),
    Layout("multi_dsprites", (64, 64, 1), 4),
    Layout("multi_dsprites", (64, 64, 3), 6),
    Layout("multi_dsprites", (64, 64, 3), 5),
    Layout("clevr6", (240, 320, 3), 11),
)

#: Other data sets of that collection -> numbers of one-byte strings in image and mask.
_NOT_READ = {"Objects Room": (64 * 64 * 3, 64 * 64 * 7), "CATER": (64 * 64 * 3 * 33, 64 * 64 * 11 * 33)}

_BYTE_FACTORS = ("size", "material", "shape", "color")  # of CLEVR; those of other data sets are floats


def records_source(
    path: Path, decode: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]], config: DataConfig
) -> DataSource:
    """Returns the source of a file, whose first `n_test` scenes are for validation, the next for training.

    GZIP cannot be read from the middle: a run that resumes rereads the epoch up to where it stopped.

    Args:
        path: The file.
        decode: From "image" uint8 [B, H, W, 3], "mask" uint8 [B, E, H, W] and "factors" [B, E, F] to a batch.
        config: What to read from it, with `n_test` and `n_train`.

    Raises:
        UserError: The file is damaged, or does not hold the data set that `config` names.
    """
    layout, record_bytes = _recognize(path, config.dataset)
    scenes = tf.data.TFRecordDataset(str(path), compression_type="GZIP", buffer_size=2**20)
    if layout.dataset == "clevr6" and config.max_objects is not None:
        scenes = scenes.filter(lambda record: object_count(_visibility(record, layout)) <= config.max_objects)
    valid, train = scenes.take(config.n_test), scenes.skip(config.n_test)
    if config.n_train is not None:
        train = train.take(config.n_train)
    window = max(_WINDOW_BYTES // record_bytes, 2)
    seed = Seed.of(config.seed)

    parse = functools.partial(_parse, layout=layout, masks=config.masks, factors=config.factors)
    if config.masks and config.check_masks:
        for scene in valid.take(_PROBED).map(parse).as_numpy_iterator():
            check_partition(scene["mask"][None], str(path))

    def finish(records: tf.data.Dataset, endless: bool) -> tf.data.Dataset:
        parsed = records.map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return parsed.batch(config.batch_size, drop_remainder=endless).map(decode).prefetch(2)

    def epoch(number: tf.Tensor, of: tf.data.Dataset = train) -> tf.data.Dataset:
        if not config.shuffle:
            return of
        windows = of.batch(window).enumerate()
        return windows.map(lambda i, records: _shuffled(records, seed.fold(number).fold(i))).unbatch()

    def some(name: str) -> tf.data.Dataset:
        records = train if name == "train" else valid
        if not _count(path, records.take(1)):
            raise UserError(
                f"{path}: the first {config.n_test} scenes are for testing; none are left for {name}."
            )
        return records

    def endless(name: str, start: int) -> tf.data.Dataset:
        records = some(name)
        # An epoch's length is only needed in the middle of a run, as it requires reading the whole file.
        first, within = divmod(start * config.batch_size, _count(path, records)) if start else (0, 0)
        numbers = tf.data.Dataset.range(first + 1, tf.int64.max)
        epochs = epoch if name == "train" else (lambda _: valid)
        head = epochs(tf.constant(first, tf.int64)).skip(within)
        return finish(head.concatenate(numbers.flat_map(epochs)), endless=True)

    def whole(name: str) -> tf.data.Dataset:
        return finish(some(name), endless=False)

    @functools.cache
    def places() -> tf.data.Dataset:
        return tf.data.Dataset.range(_count(path, train))

    def order(number: int) -> np.ndarray:
        return np.fromiter(epoch(tf.constant(number, tf.int64), places()).as_numpy_iterator(), np.int64)

    return DataSource(
        lambda start_step: endless("train", start_step),
        lambda start: endless("valid", start),
        whole,
        pure_batches(whole, order, config.batch_size),
        {
            "train": f"{_most(config.n_train)} scenes after these",
            "valid": f"the first {config.n_test:,} scenes in {path}",
        },
    )


def _most(n):
    return "all" if n is None else f"the first {n:,}"


def _recognize(path, dataset):
    """Returns the layout, and the size of a record in bytes."""
    try:
        record = next(iter(tf.data.TFRecordDataset(str(path), compression_type="GZIP"))).numpy()
        features = tf.train.Example.FromString(record).features.feature
    except StopIteration:
        raise UserError(f"{path}: holds no records.") from None
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        kind = type(error).__name__
        raise UserError(f"{path}: cannot be read as GZIP TFRecords ({kind}); is it damaged?") from error
    found = (len(features["image"].bytes_list.value), len(features["mask"].bytes_list.value))
    for layout in LAYOUTS:
        pixels = layout.image[0] * layout.image[1]
        if found == (pixels * layout.image[2], pixels * layout.n_entities):
            break
    else:
        name = next((name for name, layout in _NOT_READ.items() if found == layout), None)
        if name:
            known = ", ".join(dict.fromkeys(layout.dataset for layout in LAYOUTS))
            raise UserError(f"{path}: holds {name}, which is not supported; supported are {known}.")
        raise UserError(f"{path}: holds none of the Multi-Object Datasets (one-byte strings: {found}).")
    asked = "clevr6" if dataset == "clevr6_128" else dataset
    if layout.dataset != asked:
        raise UserError(f"{path}: holds {layout.dataset}, but --dataset={dataset}; change one of the two.")
    return layout, len(record)


def _floats(layout, names):
    """Returns float features of these names, with their shapes."""
    shapes = {"color": [layout.n_entities, layout.image[2]]}
    return {name: tf.io.FixedLenFeature(shapes.get(name, [layout.n_entities]), tf.float32) for name in names}


def _visibility(record, layout):
    return tf.io.parse_single_example(record, _floats(layout, ["visibility"]))["visibility"]  # [E]


def _parse(record, layout, masks, factors):
    """Parses a record to uint8 images and masks, and factors in the order of `FACTORS`."""
    height, width, channels = layout.image
    n = layout.n_entities
    features = {"image": _bytes([height, width, channels])}
    if masks:
        # Only multi_dsprites stores the entities last.
        last = layout.dataset == "multi_dsprites"
        features["mask"] = _bytes([height, width, n] if last else [n, height, width])
    names = [f.name for f in FACTORS[layout.dataset]] if factors else []
    stored = list(dict.fromkeys("color" if name in ("red", "green", "blue") else name for name in names))
    byte_factors = [name for name in stored if layout.dataset == "clevr6" and name in _BYTE_FACTORS]
    features |= {name: _bytes([n]) for name in byte_factors}
    features |= _floats(layout, [name for name in stored if name not in byte_factors])
    parsed = tf.io.parse_single_example(record, features)

    image = _decode(parsed["image"])  # [H, W, C]
    scene = {"image": tf.broadcast_to(image, [height, width, 3]) if channels == 1 else image}  # [H, W, 3]
    if masks:
        mask = _decode(parsed["mask"])
        scene["mask"] = tf.transpose(mask, [2, 0, 1]) if last else mask  # [E, H, W]
    if factors:
        for name in byte_factors:
            parsed[name] = tf.cast(_decode(parsed[name]), tf.float32)  # [E]
        if "red" in names:
            rgb = tf.broadcast_to(parsed["color"], [n, 3])  # [E, 3]
            parsed |= dict(zip(("red", "green", "blue"), tf.unstack(rgb, axis=1), strict=True))
        scene["factors"] = tf.stack([parsed[name] for name in names], axis=1)  # [E, F]
    return scene


def _bytes(shape):
    return tf.io.FixedLenFeature(shape, tf.string)


def _decode(strings):
    """Converts one-byte strings [...] to uint8 [...]."""
    return tf.squeeze(tf.io.decode_raw(strings, tf.uint8, fixed_length=1), axis=-1)


def _shuffled(records, seed):
    return tf.gather(records, tf.argsort(seed.uniform((tf.size(records),))))


def _count(path, records):
    try:
        return int(records.reduce(np.int64(0), lambda n, _: n + 1))
    except tf.errors.DataLossError as error:
        raise UserError(f"{path}: ends in the middle of a record; is it damaged?") from error
