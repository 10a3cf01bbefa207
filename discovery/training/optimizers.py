"""Optimizers as pure functions: `init(variables) -> slots`, `update(...) -> (variables, slots)`.

Slots are lists of tensors, one per variable, by the slot's name. A variable without a gradient (None) keeps
its value and its slots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import tensorflow as tf

from discovery.training.schedules import Schedule

Slots = dict[str, list[tf.Tensor]]


class Optimizer(Protocol):
    """What the training step requires of an optimizer."""

    def init(self, variables: Sequence[tf.Tensor]) -> Slots:
        """Returns the slots before the first step."""

    def update(
        self,
        gradients: Sequence[tf.Tensor | None],
        slots: Slots,
        variables: Sequence[tf.Tensor],
        learning_rate: tf.Tensor,
        step: tf.Tensor,
    ) -> tuple[list[tf.Tensor], Slots]:
        """Returns the new variables and slots; `step` counts the steps taken before this one."""


@dataclass(frozen=True)
class RMSProp:
    """RMSProp as TensorFlow 1 has it: the mean square starts at 1, epsilon is inside the root.

    SCAE trains with epsilon = 0.01 / (global batch size) ** 2.

    Attributes:
        epsilon: added to the mean square.
        decay: share of the mean square that a step keeps.
        momentum: share of the last update that a step repeats.
        start: the mean square before the first step; Keras' own starts at 0.
    """

    epsilon: float
    decay: float = 0.9
    momentum: float = 0.9
    start: float = 1.0

    def init(self, variables: Sequence[tf.Tensor]) -> Slots:
        """Returns mean squares of `start` and momenta of zero."""
        return {
            "rms": [self.start * tf.ones_like(v) for v in variables],
            "momentum": [tf.zeros_like(v) for v in variables],
        }

    def update(self, gradients, slots, variables, learning_rate, step):
        """Returns the new variables and slots."""
        del step

        def one(gradient, variable, rms, momentum):
            rms = rms + (tf.square(gradient) - rms) * (1.0 - self.decay)
            momentum = self.momentum * momentum + learning_rate * gradient * tf.math.rsqrt(rms + self.epsilon)
            return variable - momentum, rms, momentum

        return _each(one, gradients, variables, slots)


@dataclass(frozen=True)
class Adam:
    """Adam as PyTorch has it: epsilon is added to the root of the bias-corrected second moment."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def init(self, variables: Sequence[tf.Tensor]) -> Slots:
        """Returns moments of zero."""
        return {name: [tf.zeros_like(v) for v in variables] for name in ("adam_m", "adam_v")}

    def update(self, gradients, slots, variables, learning_rate, step):
        """Returns the new variables and slots."""
        learning_rate = tf.convert_to_tensor(learning_rate)  # [], its type decides those below
        count = tf.cast(step + 1, learning_rate.dtype)
        # expm1: 1 - beta ** count would lose five digits at the first steps.
        correction_1 = -tf.math.expm1(count * math.log(self.beta_1))
        root_of_correction_2 = tf.sqrt(-tf.math.expm1(count * math.log(self.beta_2)))

        def one(gradient, variable, m, v):
            m = m + (gradient - m) * (1.0 - self.beta_1)
            v = self.beta_2 * v + (1.0 - self.beta_2) * tf.square(gradient)
            denominator = tf.sqrt(v) / root_of_correction_2 + self.epsilon
            return variable - learning_rate / correction_1 * m / denominator, m, v

        return _each(one, gradients, variables, slots)


@dataclass(frozen=True)
class RateFactors:
    """Wraps an optimizer to give each variable a learning rate of its own.

    Slots are that optimizer's, so a run may resume with other factors.

    Attributes:
        optimizer: makes the updates.
        factors: step -> the factor of the learning rate, one per variable in their order.
        starts: the first step at which each variable has a gradient, from which the optimizer counts, in the
            same order; empty: 0 for all.
    """

    optimizer: Optimizer
    factors: tuple[Schedule, ...]
    starts: tuple[int, ...] = ()

    def init(self, variables: Sequence[tf.Tensor]) -> Slots:
        """Returns the optimizer's slots."""
        return self.optimizer.init(variables)

    def update(self, gradients, slots, variables, learning_rate, step):
        """Returns the new variables and slots."""
        variables, slots = list(variables), {name: list(values) for name, values in slots.items()}
        starts = self.starts or (0,) * len(self.factors)
        positions: dict[tuple[Schedule, int], list[int]] = {}
        for position, (factor, start, _) in enumerate(zip(self.factors, starts, variables, strict=True)):
            positions.setdefault((factor, start), []).append(position)
        for (factor, start), own in positions.items():
            new, new_slots = self.optimizer.update(
                [gradients[i] for i in own],
                {name: [values[i] for i in own] for name, values in slots.items()},
                [variables[i] for i in own],
                factor(step) * learning_rate,
                step - start,
            )
            for at, i in enumerate(own):
                variables[i] = new[at]
                for name, values in slots.items():
                    values[i] = new_slots[name][at]
        return variables, slots


def _each(update_one, gradients, variables, slots):
    rows = [
        (variable, *old) if gradient is None else update_one(gradient, variable, *old)
        for gradient, variable, *old in zip(gradients, variables, *slots.values(), strict=True)
    ]
    variables, *columns = [list(column) for column in zip(*rows, strict=True)] or [
        [] for _ in range(len(slots) + 1)
    ]
    return variables, dict(zip(slots, columns, strict=True))
