"""Noise of which every draw is the same, as in the golden arrays."""

from typing import NamedTuple

import tensorflow as tf


class ConstantNoise(NamedTuple):
    """Stands for a `Seed` whose uniform draws from [0, 1) all give `u`."""

    u: float

    def fold(self, purpose):
        return self

    def uniform(self, shape, low=0.0, high=1.0):
        return tf.fill(shape, low + (high - low) * self.u)

    def normal(self, shape):
        raise NotImplementedError
