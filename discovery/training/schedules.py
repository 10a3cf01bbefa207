"""Learning rates as pure functions of the step (the number of steps taken so far)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

Schedule = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Constant:
    """The same rate at every step."""

    rate: float

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate [], float32."""
        del step
        return tf.constant(self.rate, tf.float32)


@dataclass(frozen=True)
class ExponentialDecay:
    """`rate * decay ** (step / decay_steps)`, continuous in the step: SCAE's `--use_lr_schedule`."""

    rate: float
    decay: float = 0.96
    decay_steps: int = 10_000

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate [], float32."""
        return self.rate * tf.pow(self.decay, tf.cast(step, tf.float32) / self.decay_steps)


@dataclass(frozen=True)
class WarmUpAndDecay:
    """EfficientMORL's: linear from 0 to `rate`, then times `decay` every `decay_steps` steps, continuously.

    The first step after the warm-up still has the full rate; the decay counts from the end of the warm-up.
    """

    rate: float
    warmup_steps: int = 10_000
    decay: float = 0.5
    decay_steps: int = 100_000

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate [], float32."""
        step = tf.cast(step, tf.float32)
        warming = step / self.warmup_steps if self.warmup_steps else 1.0
        decaying = tf.pow(self.decay, (step - self.warmup_steps) / self.decay_steps)
        factor = tf.where(step <= self.warmup_steps + 1, tf.minimum(warming, 1.0), decaying)
        return self.rate * factor


@dataclass(frozen=True)
class CosineFall:
    """Another schedule's rate, which falls by half a cosine to a fraction of it and stays there.

    Attributes:
        schedule: gives the rate that is multiplied.
        start: the step up to which the factor is 1.
        steps: over how many steps it falls.
        to: the factor from then on.
    """

    schedule: Schedule
    start: int
    steps: int
    to: float = 0.02

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate [], float32."""
        fallen = tf.clip_by_value(tf.cast(step - self.start, tf.float32) / self.steps, 0.0, 1.0)
        factor = self.to + (1.0 - self.to) * 0.5 * (1.0 + tf.cos(math.pi * fallen))
        return factor * self.schedule(step)
