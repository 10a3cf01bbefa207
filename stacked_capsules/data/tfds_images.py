"""SVHN, CIFAR-10 and MNIST as TensorFlow Datasets prepares them."""

from __future__ import annotations

import re
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from discovery import UserError
from stacked_capsules.data.config import DataConfig
from stacked_capsules.data.examples import ImageSets

#: name in TFDS -> where TFDS downloads it from.
SOURCES = {
    "mnist": "https://storage.googleapis.com/cvdf-datasets/mnist/train-labels-idx1-ubyte.gz",
    "svhn_cropped": "http://ufldl.stanford.edu/housenumbers/",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar.html",
}
DEFAULT_DIR = "~/tensorflow_datasets"
WAYS_OUT = (
    "point --data_dir at a folder with prepared TFDS data, or connect to the Internet so that it can be "
    "downloaded"
)
PROBE_SECONDS = 5


def read_svhn(config: DataConfig) -> ImageSets:
    """Returns the 73,257 training and 26,032 test images of cropped SVHN, 32x32x3, without its extra set."""
    return read_tfds("svhn_cropped", config.data_dir, WAYS_OUT)


def read_cifar10(config: DataConfig) -> ImageSets:
    """Returns the 50,000 training and 10,000 test images of CIFAR-10, 32x32x3."""
    return read_tfds("cifar10", config.data_dir, WAYS_OUT)


def read_tfds(name: str, data_dir: str | None, ways_out: str) -> ImageSets:
    """Reads both sets into memory, in TFDS' order; downloads them if they are not prepared yet.

    Args:
        name: The data set's name in TFDS.
        data_dir: Folder of prepared data, which holds `name/version`; None: TFDS' default.
        ways_out: What the error advises if there are no data.
    """
    folder = Path(data_dir or DEFAULT_DIR).expanduser()
    versions = sorted(info.parent for info in folder.glob(f"{name}/*/dataset_info.json"))
    if not versions:
        _download(name, folder, ways_out)
        versions = sorted(info.parent for info in folder.glob(f"{name}/*/dataset_info.json"))
    import tensorflow_datasets as tfds  # here: it is slow, and other data sets do not need it

    try:
        builder = tfds.builder_from_directory(versions[-1])
        sets = (_examples(tfds, builder, split) for split in ("train", "test"))
        places = (f"in {versions[-1]}, {split}" for split in ("train", "test"))
        files = tuple(sorted(path for path in versions[-1].iterdir() if path.is_file()))
        return ImageSets(*sets, *places, files)
    except Exception as error:  # damaged files raise whatever TFDS stumbles over
        raise UserError(
            f"{versions[-1]}: prepared TFDS data that cannot be read ({_line(error)}); remove the folder and "
            f"{ways_out}"
        ) from error


def _examples(tfds, builder, split):
    stored = builder.as_dataset(split=split, shuffle_files=False).batch(1024)
    batches = list(tfds.as_numpy(stored))
    images = np.concatenate([batch["image"] for batch in batches])  # [N, H, W, C]
    labels = np.concatenate([batch["label"] for batch in batches])  # [N]
    return {"image": images, "label": labels.astype(np.int64)}


def _download(name, folder, ways_out):
    """Prepares a data set, unless its source does not answer: TFDS itself would retry for minutes."""
    offline = _unreachable(SOURCES[name])
    if offline:
        raise UserError(f"{name}: no data in {folder} and no download ({offline}); {ways_out}")
    import tensorflow_datasets as tfds  # here: it is slow, and other data sets do not need it

    try:
        tfds.builder(name, data_dir=folder).download_and_prepare()
    except Exception as error:  # network, disk and checksums each raise their own
        raise UserError(
            f"{name}: no data in {folder} and the download failed ({_line(error)}); {ways_out}"
        ) from error


def _unreachable(url):
    """Returns why `url` cannot be reached, or None."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # any answer is an answer
    except OSError as error:
        reason = getattr(error, "reason", error)
        if not isinstance(reason, ssl.SSLError):  # TFDS brings certificates of its own
            return _line(reason)
    return None


def _line(error):
    """Returns the first line of an exception's text, without TensorFlow's names of nodes and operations."""
    line = next(iter(str(error).strip().splitlines()), "")
    return re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*", "", line) or type(error).__name__
