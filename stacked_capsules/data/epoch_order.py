"""The order of an epoch's examples: a pure function of the seed and of the epoch's number."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from discovery import Seed

#: epoch, int64 [] -> int32 [N], each example once.
EpochOrder = Callable[[tf.Tensor], tf.Tensor]


def stored(n: int) -> EpochOrder:
    """Keeps the order in which they are stored, in every epoch."""
    return lambda epoch: tf.range(n)


def by_swaps(n: int, seed: Seed) -> EpochOrder:
    """Swaps one example after the other, which XLA cannot compile."""
    return lambda epoch: tf.random.experimental.stateless_shuffle(
        tf.range(n), seed.fold(epoch).key, alg="philox"
    )


def by_sort(n: int, seed: Seed) -> EpochOrder:
    """Sorts random numbers, which every device can do; equal ones keep their order."""

    def order(epoch):
        bits = tf.random.stateless_uniform(
            [n], seed.fold(epoch).key, None, None, tf.int32, alg="philox"
        )  # [N]
        return tf.argsort(bits, stable=True)

    return order


#: Name -> how orders are drawn.
DRAWN = {"swaps": by_swaps, "sort": by_sort}


def rows_between(
    order: EpochOrder, n: int, batch_size: int, first: tf.Tensor, n_steps: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Draws the order of the epochs that some steps see, once for all of them.

    Args:
        order: of each epoch.
        n: number of examples.
        batch_size: examples per step; batches cross epoch boundaries.
        first: the first step, int64 [].
        n_steps: number of steps.

    Returns:
        a function from a step, int64 [], to the indices of its examples, int32 [B].
    """
    first_epoch = first * batch_size // n
    n_epochs = (n - 1 + n_steps * batch_size - 1) // n + 1  # wherever in its epoch the first step is
    epochs = first_epoch + tf.range(n_epochs, dtype=tf.int64)  # [n_epochs]
    orders = tf.map_fn(order, epochs, fn_output_signature=tf.TensorSpec([n], tf.int32))  # [n_epochs, N]
    orders = tf.reshape(orders, [-1])  # [n_epochs * N]

    def rows(step):
        start = tf.cast(step * batch_size - first_epoch * n, tf.int32)
        return tf.gather(orders, start + tf.range(batch_size))  # [B]

    return rows
