"""Every kind of file that is read: how a whole one is made, and how it is read."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import tensorflow as tf
from PIL import Image

from discovery import UserError, image_files
from discovery.export import npz_snapshot, portable_files
from discovery.snapshots import read_snapshot
from discovery.training.run_folder import read_flags, write_flags
from discovery.training.save_and_resume import write_snapshot
from emorl.data import DataConfig, generator_of, h5, load
from emorl.data.h5_writer import write_generated
from scripts import entry_point
from stacked_capsules.data import mnist, tfrecord
from tests.emorl.data.test_multi_object_records import TETROMINOES
from tests.emorl.data.test_multi_object_records import write as multi_object_write

Arrays = dict[str, np.ndarray]


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        file: its name.
        make: writes it, and what belongs to it, into a folder.
        read: reads it as the scripts do; raises UserError, and nothing else.
        checked: whether the format tells wrong bytes from right ones.
        stream: whether the file may end behind any of its records.
        n_cases: how many damaged ones are tried.
    """

    file: str
    make: Callable[[Path], None]
    read: Callable[[Path], Arrays]
    checked: bool = True
    stream: bool = False
    n_cases: int = 100


def _images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 6, 5, 3), np.uint8)


def _generated_h5(path):
    write_generated(path, generator_of("tetrominoes"), 5, 2, seed=0)


def _plain_h5(path):
    owner = np.random.default_rng(1).integers(0, 3, (9, 1, 6, 5, 1))
    masks = 255 * (owner == np.arange(3)[:, None, None, None]).astype(np.uint8)  # [9, 3, 6, 5, 1]
    with h5py.File(path, "w") as file:
        for name in ("train", "test"):
            file[f"{name}/imgs"] = _images(9)
            file[f"{name}/masks"] = masks
            file[f"{name}/factors"] = np.random.default_rng(2).normal(size=(9, 3, 4)).astype(np.float32)


def _read_h5(path):
    with open(path, "rb") as file:  # as emorl.data.load tells files apart
        if file.read(8) != h5.SIGNATURE:
            raise UserError("neither HDF5 nor TFRecords")
    arrays = {}
    for name in ("train", "test"):
        rows = h5.h5_rows(path, (name,), h5.Wanted(masks=True, factors=True))
        arrays |= {f"{name}/{k}": v for k, v in rows.open()(np.arange(rows.n)).items()}
    return arrays


def _mnist(path):
    images = np.tile(_images(9), (11, 6, 6, 1))[..., 0]  # [99, 36, 30]: more than zipfile reads ahead
    labels = np.arange(99) % 10
    np.savez(path, x_train=images, y_train=labels, x_test=images[::-1], y_test=labels)


def _compressed_mnist(path):
    images = np.zeros([12, 28, 28], np.uint8)
    np.savez_compressed(path, x_train=images, y_train=np.arange(12), x_test=images, y_test=np.arange(12))


def _read_mnist(path):
    train, test = mnist.read_npz(path)
    return {f"{name}/{k}": v for name, part in (("train", train), ("test", test)) for k, v in part.items()}


def _tfrecord(path):
    tfrecord.write(path, _images(7), np.arange(7) % 3)


def _records(path):
    multi_object_write(path, TETROMINOES, 4)


def _read_records(path):
    config = DataConfig(data_path=str(path), masks=True, factors=True, batch_size=3, n_test=2, shuffle=False)
    arrays = {}
    try:
        source = load(config)
        for name in ("train", "valid"):
            batches = list(source.whole(name).as_numpy_iterator())
            arrays |= {f"{name}/{k}": np.concatenate([batch[k] for batch in batches]) for k in batches[0]}
    except tf.errors.OpError as error:
        mistake = entry_point.data_mistake(error)
        if mistake is None:
            raise
        raise UserError(mistake) from None
    return arrays


def _flags_txt(folder):
    write_flags(folder, {"name": "a b", "lr": "1e-05", "cnn_strides": "2,2,1,1", "plot": "true"})


def _read_flags_txt(path):
    return {name: np.array(value) for name, value in read_flags(path.parent).items()}


def _read_flagfile(path):
    """Starts a script that only parses its flags, as `scripts.train` does."""
    told, sys.argv = io.StringIO(), ["train", f"--flagfile={path}"]
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
            entry_point.run(lambda arguments: None)
    except SystemExit as ended:
        if ended.code and not re.fullmatch(r"error: .*\n", told.getvalue()):
            raise ValueError(f"no line that tells what is wrong, but {told.getvalue()!r}") from ended
        if ended.code:
            raise UserError(told.getvalue().strip()) from None
    return {}


def _snapshot(folder):
    arrays = {f"a/{i}": np.full([i + 1, 3], i, np.float32) for i in range(8)}
    write_snapshot(folder, 3, {**arrays, "global_step": np.int64(3)})


def _portable(path):
    arrays = {f"a/{i}": np.full([i + 1, 300], i, np.float32) for i in range(8)}
    np.savez(path, **arrays, **{portable_files.FLAGS: np.array('{"model": "scae"}')})


def _read_portable(path):
    snapshot = npz_snapshot.read_npz_snapshot(path)
    return {**snapshot.arrays, **{name: np.array(text) for name, text in snapshot.flags.items()}}


def _picture(path):
    noise = np.random.default_rng(3).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(noise).resize((40, 30)).save(path)


def _read_picture(path):
    return {"image": image_files.read_image(path, 16, 3)}


KINDS = {
    "png": Kind("a.png", lambda d: _picture(d / "a.png"), _read_picture, checked=False, n_cases=60),
    "jpeg": Kind("a.jpg", lambda d: _picture(d / "a.jpg"), _read_picture, checked=False, n_cases=60),
    "generated_h5": Kind("a.h5", lambda d: _generated_h5(d / "a.h5"), _read_h5),
    "plain_h5": Kind("a.h5", lambda d: _plain_h5(d / "a.h5"), _read_h5, checked=False),
    "npz": Kind("a.npz", lambda d: _mnist(d / "a.npz"), _read_mnist),
    "portable_npz": Kind("a.npz", lambda d: _portable(d / "a.npz"), _read_portable, n_cases=60),
    "compressed_npz": Kind("a.npz", lambda d: _compressed_mnist(d / "a.npz"), _read_mnist),
    "tfrecord": Kind(
        "a.tfrecord", lambda d: _tfrecord(d / "a.tfrecord"), tfrecord.read_file, stream=True, n_cases=60
    ),
    "gzip_records": Kind(
        "a.tfrecords", lambda d: _records(d / "a.tfrecords"), _read_records, stream=True, n_cases=30
    ),
    "flags_txt": Kind("flags.txt", _flags_txt, _read_flags_txt, checked=False),
    "flagfile": Kind("flags.txt", _flags_txt, _read_flagfile, checked=False),
    "snapshot_index": Kind("model.ckpt-3.index", _snapshot, lambda path: read_snapshot(str(path))),
    "snapshot_data": Kind(
        "model.ckpt-3.data-00000-of-00001", _snapshot, lambda path: read_snapshot(str(path))
    ),
}
