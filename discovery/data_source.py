"""Data as the training loop and evaluation see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from discovery.trainable_model import Batch


class PureBatches(NamedTuple):
    """Training batches for a program that has no input pipeline: arrays read once, and a pure function.

    The batches are those of `DataSource.train`, and XLA can compile the function.

    Attributes:
        arrays: n_steps -> what the batches of the first n_steps steps are made of; integers of at most 32
            bits, or float32.
        between: (arrays, first, n) -> a function from a step to its batch, for `n` steps from `first` on;
            what these steps share is computed once. `arrays` hold tensors, `first` and the step are int64 [].
    """

    arrays: Callable[[int], dict[str, np.ndarray]]
    between: Callable[[Mapping[str, tf.Tensor], tf.Tensor, int], Callable[[tf.Tensor], Batch]]


class DataSource(NamedTuple):
    """Batches as pure functions of the step, so that a resumed run reads what an unbroken one would.

    Each element is a dict of tensors whose first axis is the global batch.

    Attributes:
        train: start_step -> endless dataset; its first element is the training batch of that step.
        valid: start -> endless dataset of validation batches from the start-th on, for reports.
        whole: "train" or "valid" -> that set once, in order; the last batch may be smaller.
        pure: the training batches without tf.data; None: not available.
        sets: "train" and "valid" -> how many examples each has, and where they come from, for people.
        classes: names of the labels; empty: they have none.
    """

    train: Callable[[int], tf.data.Dataset]
    valid: Callable[[int], tf.data.Dataset]
    whole: Callable[[str], tf.data.Dataset]
    pure: PureBatches | None = None
    sets: Mapping[str, str] = MappingProxyType({})
    classes: tuple[str, ...] = ()


def order_of_steps(
    epoch_order: Callable[[int], np.ndarray], n: int, batch_size: int, n_steps: int
) -> np.ndarray:
    """Returns which of n examples the first steps see, epoch after epoch.

    Args:
        epoch_order: number of the epoch -> int [n], the order of its examples.
        n: number of examples.
        batch_size: examples of a step; batches cross the border between epochs.
        n_steps: number of steps.

    Returns:
        unsigned integers [n_steps * batch_size], of the smallest type that fits.
    """
    n_epochs = -(-n_steps * batch_size // n)
    kind = np.min_scalar_type(n - 1)
    orders = [np.asarray(epoch_order(epoch)).astype(kind) for epoch in range(n_epochs)]
    return np.concatenate([np.empty([0], kind), *orders])[: n_steps * batch_size]


def rows_of_step(order: tf.Tensor, step: tf.Tensor, batch_size: int) -> tf.Tensor:
    """Returns the examples that a step sees, int32 [B], given the result of `order_of_steps`."""
    rows = tf.cast(step * batch_size, tf.int32) + tf.range(batch_size)  # [B]
    return tf.cast(tf.gather(order, rows), tf.int32)
