"""Noise of inference: posteriors are sampled there too, but a result must not depend on the batch."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from discovery import Seed


class SharedNoise(NamedTuple):
    """Draws once and gives every image of the batch the same: an image's seed is the run's.

    So an image is decoded alike alone and in any batch, on any replica, and slots of different images
    start alike.

    Attributes:
        seed: where the draws come from.
    """

    seed: Seed

    @classmethod
    def of(cls, seed: Seed | tf.Tensor | int) -> SharedNoise:
        """Accepts an int, a key [2] or a `Seed`; what else draws noise by itself is returned as it is."""
        seed = Seed.of(seed)
        return cls(Seed(seed.key)) if isinstance(seed, Seed) else seed

    def fold(self, purpose: int) -> SharedNoise:
        """The noise of one purpose."""
        return SharedNoise(self.seed.fold(purpose))

    def normal(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Standard normal noise of `shape` [B, ...], the same in each row."""
        return tf.broadcast_to(self.seed.normal([1, *shape[1:]]), shape)  # [B, ...]
