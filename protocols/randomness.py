"""Noise that depends on (run seed, step, purpose) alone, and not on how a batch is spread over replicas."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Seed(NamedTuple):
    """A key for stateless noise, and which part of the global batch the caller holds.

    Noise is drawn for the global batch and sliced, so R replicas of B/R examples see what one replica of B
    sees. A tuple of tensors, so that it can be an argument of a compiled function.

    Attributes:
        key: int32 [2], the stateless key.
        replica: int32 [], index of this replica: it holds rows [replica * B, (replica + 1) * B).
        n_replicas: int, number of replicas that share the global batch.
    """

    key: tf.Tensor
    replica: tf.Tensor | int = 0
    n_replicas: int = 1

    @classmethod
    def of(cls, seed: Seed | tf.Tensor | int | None) -> Seed | None:
        """Accepts what users pass as `seed`: an int, a key of shape [2], a Seed, or None (no noise)."""
        if seed is None or not isinstance(seed, int | list | tuple | tf.Tensor) or isinstance(seed, Seed):
            return seed
        key = tf.cast(seed, tf.int32)
        return cls(tf.stack([key, 0]) if key.shape.rank == 0 else key)

    def fold(self, purpose: int | tf.Tensor) -> Seed:
        """Returns the seed of one purpose (a draw, a step); different purposes are independent."""
        return self._replace(key=tf.random.fold_in(self.key, purpose))

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> tf.Tensor:
        """Draws from [low, high); `shape` is [B, ...] with B the rows that this replica holds."""
        return self._rows(lambda s: tf.random.stateless_uniform(s, self.key, low, high), shape)

    def normal(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Draws from N(0, 1); `shape` is [B, ...] with B the rows that this replica holds."""
        return self._rows(lambda s: tf.random.stateless_normal(s, self.key), shape)

    def _rows(self, draw, shape):
        if self.n_replicas == 1:
            return draw(shape)
        rows = shape[0]
        noise = draw([rows * self.n_replicas, *shape[1:]])  # [global B, ...]
        return noise[self.replica * rows : (self.replica + 1) * rows]
