"""scikit-learn's 1,797 handwritten digits, which need no download, at MNIST's size or smaller."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import tensorflow as tf

from stacked_capsules.data.config import DataConfig
from stacked_capsules.data.examples import ImageSets

SIZE = 28
STORED_SIZE = 8
#: Every sixth example of each class is for validation.
VALID_EVERY = 6


def read(config: DataConfig) -> ImageSets:
    """Returns 1,501 training and 296 validation examples, each class split alike; always the same ones."""
    from sklearn.datasets import load_digits  # here: it takes a second, which other data sets need not pay

    values, labels = load_digits(return_X_y=True)  # [N, 64] in 0..16, [N]
    # On a larger canvas they are shifted, like MNIST's; a canvas that is too small is rejected later.
    size = min(SIZE, max(STORED_SIZE, config.canvas_size))
    images = upsample(values.reshape(-1, STORED_SIZE, STORED_SIZE, 1), size)  # [N, size, size, 1]
    rank = np.zeros_like(labels)  # [N], index of each example within its class
    for label in range(10):
        rank[labels == label] = np.arange((labels == label).sum())
    valid = rank % VALID_EVERY == VALID_EVERY - 1
    stored = "in scikit-learn"
    file = Path(str(files("sklearn.datasets.data") / "digits.csv.gz"))
    sets = (_subset(images, labels, chosen) for chosen in (~valid, valid))
    return ImageSets(*sets, stored, stored, (file,))


def upsample(values: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Enlarges [N, 8, 8, 1] in 0..16 to uint8 [N, size, size, 1], bicubically; overshoots are clipped."""
    with tf.device("CPU:0"):
        large = tf.image.resize(values, [size, size], method="bicubic").numpy()  # [N, size, size, 1]
    return np.rint(np.clip(large / 16.0, 0.0, 1.0) * 255.0).astype(np.uint8)


def _subset(images, labels, chosen):
    return {"image": images[chosen], "label": labels[chosen].astype(np.int64)}
