"""A user's own images, as TFRecords in the original's schema."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from discovery import UserError
from stacked_capsules.data.config import DataConfig
from stacked_capsules.data.examples import Examples, ImageSets, as_column, check_integers

#: Files of a folder that are read, and which of them are for validation.
RECORD_FILE = re.compile(r"\.tfrecords?(-\d+-of-\d+)?$")
VALIDATION_FILE = re.compile(
    r"(^|[^a-z])(val|valid|validate|validation|test|testing|testset|eval|evaluation|dev|holdout|heldout)([^a-z]|$)",
    re.IGNORECASE,
)
TRAINING_FILE = re.compile(r"(^|[^a-z])(train|training|trainset)([^a-z]|$)", re.IGNORECASE)
#: Hints in names that are neither.
_HINT = re.compile("train|val|test|dev|h[oe]ld", re.IGNORECASE)
#: Names of the classes in the order of their labels, one per line; optional.
CLASSES_FILE = "classes.txt"
#: Without validation files, every tenth record is held out.
HOLD_OUT_EVERY = 10

_REQUIRED = ("image_raw", "height", "width", "depth")
_OPTIONAL = ("label", "labeled")
_ABSENT = tf.int64.min
_GZIP = b"\x1f\x8b"
_FRAME_BYTES = 16  # per record: its length and two checksums


def read(config: DataConfig) -> ImageSets:
    """Returns training and validation images from the files that `data_dir` and `valid_file` name.

    `data_dir` is a file, or a folder with files `*.tfrecord`, `*.tfrecords` (or shards of these); those with
    the word val, valid, test, eval or dev (or similar) in their names are for validation. If there are none,
    every tenth record is held out.

    Raises:
        UserError: there are no such files, a name does not show what its file is for, or a file is damaged.
    """
    if config.data_dir is None:
        raise UserError("--dataset=tfrecord: set --data_dir to a TFRecord file, or to a folder of such files")
    named = None if config.valid_file is None else Path(config.valid_file).expanduser()
    train_files, valid_files = _files(Path(config.data_dir).expanduser(), named)
    if not train_files:
        raise UserError(
            f"{config.data_dir}: holds no training records; expected files named like train.tfrecord"
        )
    train = read_files(train_files)
    if valid_files:
        valid = read_files(valid_files)
        _check_alike(valid, valid_files[0], train, train_files[0])
        return ImageSets(train, valid, _in(train_files), _in(valid_files), (*train_files, *valid_files))
    held_out = np.arange(len(train["image"])) % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1  # [N]
    if not held_out.any():
        raise UserError(
            f"{config.data_dir}: {len(train['image'])} records are too few to hold out every tenth for "
            "validation; set --valid_file"
        )
    sets = ({name: values[rows] for name, values in train.items()} for rows in (~held_out, held_out))
    held_out_from = f"{_in(train_files)}: every tenth is held out"
    return ImageSets(*sets, _in(train_files), held_out_from, tuple(train_files))


def class_names(config: DataConfig) -> tuple[str, ...]:
    """Returns the names of the labels, where `data_dir` is a folder that has a file of them."""
    path = Path(config.data_dir or "").expanduser() / CLASSES_FILE
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as names of classes, one per line ({error})") from None


def write(
    path: str | Path, images: np.ndarray, labels: np.ndarray | None = None, labeled: np.ndarray | None = None
) -> None:
    """Writes images in the original's schema.

    Args:
        path: The file to write.
        images: uint8 [N, H, W, C].
        labels: Integers [N] from 0 on, or None if there are no classes.
        labeled: 0 or 1 [N], whether training may use an example's label; or None for all.

    Raises:
        UserError: They have other types, lengths or values, or the file cannot be written; it is left as it
            was.
    """
    path, images = Path(path).expanduser(), np.asarray(images)
    if images.ndim != 4 or not len(images):
        raise UserError(f"{path}: images have shape {images.shape}; give [N, H, W, C] with N > 0")
    if images.dtype.kind not in "biuf":
        raise UserError(f"{path}: images are {images.dtype}; give uint8, 0 to 255")
    if images.dtype != np.uint8:
        raise UserError(
            f"{path}: images are {images.dtype} from {images.min():g} to {images.max():g}; give uint8, 0 to "
            "255: np.rint(255 * images).astype(np.uint8) of floats in [0, 1]"
        )
    columns = {"label": labels, "labeled": labeled}
    columns = {name: as_column(np.asarray(v)) for name, v in columns.items() if v is not None}  # each [N]
    for name, values in columns.items():
        check_integers(values, f"{path}, {name}", len(images), 2 if name == "labeled" else None)
    height, width, depth = images.shape[1:]
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with tf.io.TFRecordWriter(str(unfinished)) as writer:
            for i, image in enumerate(images):
                integers = {"height": height, "width": width, "depth": depth}
                integers |= {name: int(values[i]) for name, values in columns.items()}
                features = {name: _integer(value) for name, value in integers.items()}
                pixels = tf.train.BytesList(value=[image.tobytes()])
                features["image_raw"] = tf.train.Feature(bytes_list=pixels)
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
        os.replace(unfinished, path)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"{path}: cannot be written ({str(error).splitlines()[0]})") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def read_files(paths: list[Path]) -> Examples:
    """Reads files in order; all images must have one size, and all or none of them labels."""
    files = [read_file(path) for path in paths]
    for path, examples in zip(paths[1:], files[1:], strict=True):
        _check_alike(examples, path, files[0], paths[0])
    return {name: np.concatenate([examples[name] for examples in files]) for name in files[0]}


def read_file(path: Path) -> Examples:
    """Reads one file, all of it, and checks that it is what it claims to be."""
    batches = list(_parsed(path))
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}  # each [N]
    for name in _REQUIRED:
        absent = columns[name] == (b"" if name == "image_raw" else _ABSENT)  # [N]
        if absent.any():
            needs = ", ".join(_REQUIRED)
            raise UserError(f"{path}: record {absent.argmax()} has no feature {name}; each needs {needs}")
    sizes = np.stack([columns[name] for name in _REQUIRED[1:]], axis=1)  # [N, 3]
    stored = np.array([len(raw) for raw in columns["image_raw"]])  # [N]
    wrong = sizes.prod(axis=1) != stored  # [N]
    if wrong.any():
        i = wrong.argmax()
        raise UserError(
            f"{path}: record {i} holds {stored[i]} bytes of image, but states {_by(sizes[i])}; store raw "
            "uint8 pixels, row by row"
        )
    odd = (sizes != sizes[0]).any(axis=1)  # [N]
    if odd.any():
        i = odd.argmax()
        raise UserError(
            f"{path}: image {i} is {_by(sizes[i])}, the first one {_by(sizes[0])}; resize all to one size"
        )
    images = np.frombuffer(b"".join(columns["image_raw"]), np.uint8).reshape(-1, *sizes[0])  # [N, H, W, C]
    examples = {"image": images}
    for name in _OPTIONAL:
        absent = columns[name] == _ABSENT  # [N]
        if absent.any() and not absent.all():
            raise UserError(f"{path}: record {absent.argmax()} has no {name}, others do; fix the file")
        if not absent.any():
            examples[name] = columns[name]
    return examples


def _files(data_dir, valid_file):
    """Returns the files for training and for validation; the latter is `valid_file` if that is given."""
    if not data_dir.is_dir():
        return [data_dir], [valid_file] if valid_file else []
    files = sorted(path for path in data_dir.iterdir() if RECORD_FILE.search(path.name))
    valid = [path for path in files if VALIDATION_FILE.search(path.name)]
    train = [path for path in files if path not in valid and path != valid_file]
    if valid_file:
        return train, [valid_file]
    unclear = [path.name for path in train if not TRAINING_FILE.search(path.name)]
    if len(files) > 1 and (0 < len(unclear) < len(train) or any(_HINT.search(name) for name in unclear)):
        raise UserError(
            f"{data_dir / unclear[0]}: is it for training or for validation? Put train or valid into its "
            "name, as a separate word (digits_valid.tfrecord), or set --data_dir and --valid_file to files"
        )
    return train, valid


def _in(files):
    """Names the files: the first one, and how many more."""
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"in {files[0]}{more}"


def _parsed(path: Path) -> Iterator[dict[str, np.ndarray]]:
    """Yields batches of parsed records."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; set --data_dir (and --valid_file) to TFRecord files")
    schema = {name: tf.io.FixedLenFeature([], tf.int64, _ABSENT) for name in (*_REQUIRED[1:], *_OPTIONAL)}
    schema["image_raw"] = tf.io.FixedLenFeature([], tf.string, "")
    records = tf.data.TFRecordDataset(str(path)).batch(1024)
    n = n_bytes = 0
    try:
        for lengths, batch in records.map(
            lambda r: (tf.strings.length(r), tf.io.parse_example(r, schema))
        ).as_numpy_iterator():
            n, n_bytes = n + len(lengths), n_bytes + int(lengths.sum(dtype=np.int64))
            yield batch
    except tf.errors.DataLossError as error:
        with open(path, "rb") as file:
            is_gzip = file.read(len(_GZIP)) == _GZIP
        if is_gzip:
            raise UserError(f"{path}: is compressed with GZIP; decompress it first: gunzip") from error
        raise UserError(f"{path}: truncated, damaged, or not a TFRecord file; write it again") from error
    except (tf.errors.InvalidArgumentError, UnicodeDecodeError) as error:  # TensorFlow quotes the bytes
        raise UserError(
            f"{path}: record {n} or a later one does not hold image_raw (bytes), height, width, depth, "
            "label, labeled (an integer each); write the file with stacked_capsules.data.tfrecord.write"
        ) from error
    if n == 0:
        raise UserError(f"{path}: holds no records; write it again")
    if n_bytes + n * _FRAME_BYTES != path.stat().st_size:  # TensorFlow skips the beginning of a record
        raise UserError(f"{path}: truncated after record {n - 1}; write it again")


def _check_alike(examples, path, first, first_path):
    """Raises an error unless two sets have images of one size, and the same features."""
    for what, of in (("images of", lambda e: _by(e["image"].shape[1:])), ("features", ", ".join)):
        if of(examples) != of(first):
            raise UserError(
                f"{path}: {what} {of(examples)}, but {first_path} has {of(first)}; make them alike"
            )


def _integer(value):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _by(size):
    return "x".join(str(int(n)) for n in size)
