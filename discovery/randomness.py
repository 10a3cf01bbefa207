"""Noise that depends on (run seed, step, purpose) alone, and not on how a batch is spread over replicas."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Seed:
    """A key for stateless noise, and which part of the global batch the caller holds.

    Noise is drawn for the global batch and sliced, so R replicas of B/R examples see what one replica of B
    sees. It can be an argument of a compiled function, of `strategy.run` and of a Keras layer (which takes no
    tuple of tensors and other things, hence the dataclass).

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
        if not isinstance(seed, int | np.ndarray | np.integer | tf.Tensor):
            return seed
        key = tf.cast(seed, tf.int32)
        return cls(tf.stack([key, 0]) if key.shape.rank == 0 else key)

    def fold(self, purpose: int | tf.Tensor) -> Seed:
        """Returns the seed of one purpose (a draw, a step); different purposes are independent."""
        return dataclasses.replace(self, key=tf.random.fold_in(self.key, purpose, alg="philox"))

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> tf.Tensor:
        """Draws from [low, high); `shape` is [B, ...] with B the rows that this replica holds."""
        return low + (high - low) * tf.cast(self._bits(shape), tf.float32) * 2.0**-23

    def normal(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Draws from N(0, 1); `shape` is [B, ...] with B the rows that this replica holds."""
        centered = (tf.cast(self._bits(shape), tf.float32) + 0.5) * 2.0**-22 - 1.0  # in (-1, 1)
        return math.sqrt(2.0) * tf.math.erfinv(centered)

    def __tf_flatten__(self):
        """Splits into static parts and tensors, for tf.function and tf.distribute."""
        return (self.n_replicas,), (self.key, self.replica)

    @classmethod
    def __tf_unflatten__(cls, metadata, components):
        """Undoes `__tf_flatten__`."""
        return cls(*components, *metadata)

    def _bits(self, shape):
        """Returns int32 [B, ...] in [0, 2^23): TensorFlow's own floats differ under XLA."""
        rows = shape[0]
        bits = tf.random.stateless_uniform(
            [rows * self.n_replicas, *shape[1:]], self.key, None, None, tf.uint32, alg="philox"
        )  # [global B, ...]
        bits = tf.cast(tf.bitwise.right_shift(bits, tf.constant(9, tf.uint32)), tf.int32)
        return bits if self.n_replicas == 1 else bits[self.replica * rows : (self.replica + 1) * rows]
