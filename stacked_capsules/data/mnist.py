"""MNIST, from Keras' mnist.npz or through TFDS."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from discovery import UserError
from stacked_capsules.data import tfds_images
from stacked_capsules.data.config import DataConfig
from stacked_capsules.data.examples import Examples, ImageSets, as_column

WAYS_OUT = (
    "point --data_dir at a folder with Keras' mnist.npz or with prepared TFDS data, connect to the Internet "
    "so that it can be downloaded, or use --dataset=digits, which needs no download"
)
#: sha256 of the file that `keras.datasets.mnist.load_data` downloads, as its source states it.
KERAS_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def read(config: DataConfig) -> ImageSets:
    """Returns the 60,000 training and 10,000 test images.

    `config.data_dir` is an .npz file, or a folder with mnist.npz or with prepared TFDS data; if it is none of
    these, TFDS downloads into it.
    """
    npz = Path(config.data_dir or ".").expanduser()
    if npz.suffix == ".npz":
        return _sets(npz)
    if config.data_dir is not None and (npz / "mnist.npz").exists():
        return _sets(npz / "mnist.npz")
    return tfds_images.read_tfds("mnist", config.data_dir, WAYS_OUT)


def read_npz(path: Path) -> tuple[Examples, Examples]:
    """Reads Keras' layout: x_train, y_train, x_test, y_test; images uint8 or floats [N, 28, 28]."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            _check_sums(arrays.zip)
            return tuple(_examples(arrays[f"x_{name}"], arrays[f"y_{name}"]) for name in ("train", "test"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {WAYS_OUT}") from None
    except Exception as error:  # a damaged file raises whatever zip, zlib or numpy stumble over
        cause = " ".join(str(error).split())
        raise UserError(
            f"{path}: damaged, or not Keras' mnist.npz ({cause}); replace the file, or {WAYS_OUT}"
        ) from error


def _sets(path):
    return ImageSets(*read_npz(path), *(f"in {path}, {name}" for name in ("x_train", "x_test")), (path,))


def _check_sums(archive):
    """Raises an error for a damaged member; numpy checks only those that it reads to the end."""
    damaged = archive.testzip()
    if damaged:
        raise ValueError(f"the checksum of {damaged} is wrong")


def _examples(images, labels):
    images = images[..., None] if images.ndim == 3 else images  # [N, H, W, 1]
    labels = as_column(labels)
    return {"image": images, "label": labels if labels.dtype.kind not in "iu" else labels.astype(np.int64)}
