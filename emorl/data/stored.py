"""Scenes stored in arrays or files: their order is a pure function of the step; they are read in runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from discovery import DataSource, PureBatches, UserError, order_of_steps, rows_of_step

Arrays = dict[str, np.ndarray]


class Rows(NamedTuple):
    """Scenes that can be read by number.

    Attributes:
        n: Number of scenes.
        open: () -> read; called once per iterator, in the process that reads, so that no handle is shared.
            `read(rows)` takes ascending row numbers and returns arrays with these rows along axis 0.
        signature: What `read` returns, with any number of rows.
        run: Rows that are cheap to read together (a file's chunk).
        window: Rows that are read, shuffled together and held in memory at a time.
        place: Where they are stored, in words.
    """

    n: int
    open: Callable[[], Callable[[np.ndarray], Arrays]]
    signature: dict[str, tf.TensorSpec]
    run: int
    window: int
    place: str = "in memory"

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Rows:
        """Returns rows held in memory."""
        n = len(next(iter(arrays.values())))
        signature = {k: tf.TensorSpec([None, *v.shape[1:]], v.dtype) for k, v in arrays.items()}
        return cls(n, lambda: lambda rows: {k: v[rows] for k, v in arrays.items()}, signature, 1, n)


def stored_source(
    train: Rows | UserError,
    valid: Rows | UserError,
    decode: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]],
    batch_size: int,
    seed: int,
    shuffle: bool,
) -> DataSource:
    """Makes the source of two stored sets; the error given for a missing one is raised when it is used.

    Args:
        train: Training scenes.
        valid: Validation scenes.
        decode: Converts what `Rows` read to a batch.
        batch_size: Size of the global batch.
        seed: Seed of the order of training scenes.
        shuffle: Whether training scenes are reshuffled in every epoch.
    """

    def rows_of(name):
        rows = train if name == "train" else valid
        if isinstance(rows, UserError):
            raise rows
        return rows

    def finish(batches):
        return batches.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2)

    def train_from(start_step: int) -> tf.data.Dataset:
        order_seed = seed if shuffle else None
        return finish(batches_in_order(rows_of("train"), batch_size, start_step, True, order_seed))

    def whole(name: str) -> tf.data.Dataset:
        return finish(batches_in_order(rows_of(name), batch_size))

    def order(epoch: int) -> np.ndarray:
        rows = rows_of("train")
        return epoch_order(rows.n, rows.run, rows.window, seed if shuffle else None, epoch)

    return DataSource(
        train_from,
        lambda start: finish(batches_in_order(rows_of("valid"), batch_size, start, repeat=True)),
        whole,
        pure_batches(whole, order, batch_size),
        {name: _in_words(rows) for name, rows in (("train", train), ("valid", valid))},
    )


def _in_words(rows):
    return "none" if isinstance(rows, UserError) else f"{rows.n:,} scenes {rows.place}"


def pure_batches(
    whole: Callable[[str], tf.data.Dataset], order: Callable[[int], np.ndarray], batch_size: int
) -> PureBatches:
    """Makes batches of images that are read into memory, as bytes if they were bytes.

    Args:
        whole: The source's function of that name.
        order: Number of an epoch -> the order of its scenes, as indices into `whole("train")`.
        batch_size: Size of the global batch.
    """

    def arrays(n_steps: int) -> Arrays:
        images = _concatenated([_as_bytes(b["image"]) for b in whole("train").as_numpy_iterator()])
        return {"image": images, "order": order_of_steps(order, len(images), batch_size, n_steps)}

    def between(arrays, first, n):
        del first, n

        def batch(step):
            image = tf.gather(arrays["image"], rows_of_step(arrays["order"], step, batch_size))
            return {"image": tf.cast(image, tf.float32) / (255.0 if image.dtype == tf.uint8 else 1.0)}

        return batch

    return PureBatches(arrays, between)


def _as_bytes(images):
    """Converts floats in [0, 1] to uint8, unless that loses information."""
    as_bytes = np.rint(images * 255.0).astype(np.uint8)
    return as_bytes if np.array_equal(as_bytes / np.float32(255.0), images) else images


def _concatenated(parts):
    if len({part.dtype for part in parts}) > 1:
        parts = [p if p.dtype != np.uint8 else p / np.float32(255.0) for p in parts]
    return np.concatenate(parts)


def batches_in_order(
    rows: Rows, batch_size: int, start: int = 0, repeat: bool = False, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Returns batches from the `start`-th on; endless streams cross epoch boundaries, with full batches."""
    n_rows = batch_size if repeat else None
    signature = {k: tf.TensorSpec([n_rows, *s.shape[1:]], s.dtype) for k, s in rows.signature.items()}
    return tf.data.Dataset.from_generator(
        lambda: _batches(rows, batch_size, start, repeat, shuffle_seed), output_signature=signature
    )


def _batches(rows, batch_size, start, repeat, shuffle_seed) -> Iterator[Arrays]:
    epoch, position = divmod(start * batch_size, rows.n)
    if epoch and not repeat:
        return
    pending: list[Arrays] = []  # less than a batch
    for part in _windows(rows, epoch, position, repeat, shuffle_seed):
        pending.append(part)
        held = {k: np.concatenate([p[k] for p in pending]) for k in part} if len(pending) > 1 else part
        n = len(next(iter(held.values())))
        full = n - n % batch_size
        for first in range(0, full, batch_size):
            yield {k: v[first : first + batch_size] for k, v in held.items()}
        pending = [{k: v[full:] for k, v in held.items()}] if full < n else []
    if pending:
        yield pending[0]


def _windows(rows, epoch, position, repeat, shuffle_seed) -> Iterator[Arrays]:
    """Yields what is read at a time, from a position on."""
    read = rows.open()
    while True:
        order = epoch_order(rows.n, rows.run, rows.window, shuffle_seed, epoch)
        for first in range(position - position % rows.window, rows.n, rows.window):
            wanted = order[max(first, position) : first + rows.window]
            ascending, place = np.unique(wanted, return_inverse=True)
            yield {k: v[place] for k, v in read(ascending).items()}
        if not repeat:
            return
        epoch, position = epoch + 1, 0


def epoch_order(n: int, run: int, window: int, seed: int | None, epoch: int) -> np.ndarray:
    """Returns the order of one epoch: int64 [n]; `seed` None keeps the stored one.

    Runs of neighbors are permuted, and then the rows of each window: a file is read in runs, and yet a batch
    mixes rows from window / run distant places.
    """
    if seed is None:
        return np.arange(n)
    random = np.random.default_rng([seed, epoch])
    runs = np.split(np.arange(n), range(run, n, run))
    order = np.concatenate([runs[i] for i in random.permutation(len(runs))])
    for first in range(0, n, window):
        random.shuffle(order[first : first + window])
    return order
