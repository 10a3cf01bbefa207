"""Noise at inference, where posteriors are sampled too, but results must not depend on the batch."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from discovery import Seed


class SharedNoise(NamedTuple):
    """Draws noise once for all images of the batch: each image's seed is the run's.

    An image is therefore decoded in the same way alone, in any batch and on any replica, and the slots of
    different images start from the same noise.

    Attributes:
        seed: the seed of the draws.
    """

    seed: Seed

    @classmethod
    def of(cls, seed: Seed | tf.Tensor | int) -> SharedNoise:
        """Accepts an int, a key [2] or a `Seed`; anything else that draws noise is returned as is."""
        seed = Seed.of(seed)
        return cls(Seed(seed.key)) if isinstance(seed, Seed) else seed

    def fold(self, purpose: int) -> SharedNoise:
        """Returns the noise for one purpose."""
        return SharedNoise(self.seed.fold(purpose))

    def normal(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Returns standard normal noise of `shape` [B, ...], the same in each row."""
        return tf.broadcast_to(self.seed.normal([1, *shape[1:]]), shape)  # [B, ...]
