"""From arrays in memory to batches, each a pure function of its index."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from discovery import DataSource, PureBatches, Seed, UserError, order_of_steps, rows_of_step
from stacked_capsules.data.epoch_order import DRAWN, EpochOrder, rows_between, stored
from stacked_capsules.data.examples import Examples
from stacked_capsules.data.pad_and_shift import pad_and_shift, random_offsets

# What the seed is folded with.
ORDER, TRAIN_SHIFT, WHOLE_TRAIN_SHIFT, VALID_SHIFT, VALID_VARIANT = range(5)
#: Kind of a numpy type -> the type that JAX uses for it unless 64 bits are enabled.
_NARROW = {"f": np.float32, "i": np.int32, "u": np.int32}


def from_arrays(
    train: Examples,
    valid: Examples,
    batch_size: int,
    canvas_size: int,
    seed: int = 0,
    shuffle: bool = True,
    epoch_order: str = "swaps",
) -> DataSource:
    """Makes batches of images in [0, 1], randomly shifted if they are smaller than the canvas.

    A training image gets a new shift each time it is seen; a validation image, and any image of `whole`,
    keeps one shift, so that equal models score equally.

    Args:
        train: The training set; images of one size, uint8 or floats in [0, 1].
        valid: The validation set.
        batch_size: Examples per batch; the last batch of `whole` may be smaller. Batches cross epoch
            boundaries, so no example is left out, and a batch may be larger than the set.
        canvas_size: Side of the resulting images.
        seed: Seed of order and shifts.
        shuffle: Whether the training set comes in a new order each epoch.
        epoch_order: How that order is drawn: "swaps" of examples, one after the other, or a "sort" of random
            numbers, which accelerators can do.
    """
    seed = Seed.of(seed)
    training = _Set(train, canvas_size, seed.fold(WHOLE_TRAIN_SHIFT))
    validation = _Set(valid, canvas_size, seed.fold(VALID_SHIFT))
    order = DRAWN[epoch_order](training.n, seed.fold(ORDER)) if shuffle else stored(training.n)

    def train_batches(start: int) -> tf.data.Dataset:
        def batch(step, index):
            return training.take(index, training.offsets(seed.fold(TRAIN_SHIFT).fold(step), batch_size))

        return _endless(training.n, batch_size, start, order, batch)

    def valid_batches(start: int) -> tf.data.Dataset:
        in_order = stored(validation.n)
        return _endless(validation.n, batch_size, start, in_order, lambda _, index: validation.take(index))

    def whole(name: str) -> tf.data.Dataset:
        if name not in ("train", "valid"):
            raise UserError(f"{name}: there is no such set; choose train or valid")
        examples = training if name == "train" else validation
        index = tf.data.Dataset.range(examples.n).batch(batch_size)
        return index.map(examples.take, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    is_stored = shuffle and epoch_order == "swaps"  # an exported program cannot swap

    def arrays(n_steps: int) -> dict[str, np.ndarray]:
        if not is_stored:
            return training.narrow()

        def rows(epoch):
            return order(tf.constant(epoch, tf.int64)).numpy()

        return training.narrow() | {"order": order_of_steps(rows, training.n, batch_size, n_steps)}

    def between(arrays: Mapping[str, tf.Tensor], first: tf.Tensor, n: int) -> Callable[[tf.Tensor], dict]:
        if is_stored:
            rows = functools.partial(rows_of_step, arrays["order"], batch_size=batch_size)
        else:
            rows = rows_between(order, training.n, batch_size, first, n)

        def batch(step):
            offsets = training.offsets(seed.fold(TRAIN_SHIFT).fold(step), batch_size)
            return training.take(rows(step), offsets, arrays)

        return batch

    return DataSource(train_batches, valid_batches, whole, PureBatches(arrays, between))


class _Set:
    """Images and labels as tensors, and each image's fixed position on the canvas."""

    def __init__(self, examples, canvas_size, fixed_shifts):
        self.n = len(examples["image"])
        self.image_size = examples["image"].shape[1:3]
        self.canvas_size = canvas_size
        with tf.device("CPU:0"):  # where the input pipeline reads them
            self.tensors = {name: tf.constant(values) for name, values in examples.items()}
            self.fixed_offsets = self.offsets(fixed_shifts, self.n)  # [N, 2]

    def offsets(self, seed, n):
        return random_offsets(seed, n, self.image_size, self.canvas_size)

    def narrow(self):
        """Returns the examples in types that JAX also has."""
        arrays = {name: values.numpy() for name, values in self.tensors.items()}
        return {n: v if v.dtype == np.uint8 else v.astype(_NARROW[v.dtype.kind]) for n, v in arrays.items()}

    def take(self, index, offsets=None, arrays=None):
        """Returns the batch of the examples in `index` [B], at `offsets` [B, 2] or fixed positions.

        If `arrays` are given, as `narrow` returns them, examples are taken from these.
        """
        examples = self.tensors if arrays is None else arrays
        batch = {name: tf.gather(examples[name], index) for name in self.tensors}
        batch = {n: v if n == "image" else tf.cast(v, tf.int64) for n, v in batch.items()}
        if self.image_size != (self.canvas_size, self.canvas_size):
            offsets = tf.gather(self.fixed_offsets, index) if offsets is None else offsets
            batch["image"] = pad_and_shift(batch["image"], offsets, self.canvas_size)
        image = tf.cast(batch["image"], tf.float32)  # [B, canvas, canvas, C]
        batch["image"] = image / 255.0 if batch["image"].dtype == tf.uint8 else image
        return batch


def _endless(
    n: int, batch_size: int, start: int, order: EpochOrder, batch: Callable[[tf.Tensor, tf.Tensor], dict]
) -> tf.data.Dataset:
    """Returns batch(step, index int32 [B]) for step = start, start + 1, ...; earlier epochs cost nothing."""

    def epoch_rows(epoch):
        return tf.data.Dataset.from_tensor_slices(order(epoch))

    epoch, done = divmod(int(start) * batch_size, n)
    index = tf.data.Dataset.counter(epoch).flat_map(epoch_rows).skip(done)
    steps = tf.data.Dataset.zip(tf.data.Dataset.counter(start), index.batch(batch_size, drop_remainder=True))
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return steps.map(batch, tf.data.AUTOTUNE).apply(endless).prefetch(tf.data.AUTOTUNE)
