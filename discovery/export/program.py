"""Several training steps as one pure function from arrays to arrays, without TensorFlow's runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from discovery import PureBatches, Seed, UserError
from discovery.snapshots import GLOBAL_STEP
from discovery.training.optimizers import Slots
from discovery.training.step import TrainingStep, Variables, is_sound
from discovery.training.train_state import TrainState

#: Metrics that a program has room for while their number is not known yet.
_ROOM = 128

#: Types that may go in and out: JAX has none of 64 bits unless it is asked for them.
_KINDS = (np.uint8, np.uint16, np.uint32, np.int32, np.float32)


class Layout(NamedTuple):
    """Names of the training state, by its place in the step's arguments.

    Attributes:
        trainable: paths of weights.
        non_trainable: likewise.
        kinds: kinds of the optimizer's slots.
    """

    trainable: list[str]
    non_trainable: list[str]
    kinds: list[str]

    @classmethod
    def of(cls, step: TrainingStep) -> Layout:
        """Returns the layout of a step."""
        paths = [
            [w.path for w in ws] for ws in (step.model.trainable_weights, step.model.non_trainable_weights)
        ]
        return cls(*paths, list(step.optimizer.init([])))

    def read(self, arrays: Mapping[str, tf.Tensor]) -> tuple[Variables, Slots]:
        """Returns arrays, given by name, in the step's order."""
        slots = {kind: [arrays[f"{path}/{kind}"] for path in self.trainable] for kind in self.kinds}
        return Variables(*([arrays[name] for name in names] for names in self[:2])), slots

    def named(self, variables: Variables, slots: Slots) -> dict[str, tf.Tensor]:
        """Names what the step returns."""
        named = dict(zip(self.trainable, variables.trainable, strict=True))
        named |= zip(self.non_trainable, variables.non_trainable, strict=True)
        for kind, values in slots.items():
            named |= {f"{path}/{kind}": value for path, value in zip(self.trainable, values, strict=True)}
        return named


@dataclass(frozen=True, eq=False)
class Program:
    """Up to `n_most` training steps.

    Its arguments are, flat and in this order, `state` by name, the number of steps to take (int32 [], at
    least 1), and `data` by name. It returns the state, the number of steps that were sound (int32 []; it ends
    before the state of one that was not, see `discovery.training.step.is_sound`), and metrics float32
    [n_most, n_metrics]: a row for each step taken, then that of the step that was not sound; others are zero.

    Attributes:
        step: the pure step, of one replica.
        batches: what it learns from.
        seed: the run's seed.
        n_most: the largest number of steps.
        state: name -> shape and type; the number of steps taken comes last.
        data: likewise.
        metrics: their names; known once the program has been traced.
    """

    step: TrainingStep
    batches: PureBatches
    seed: int
    n_most: int
    state: dict[str, tf.TensorSpec]
    data: dict[str, tf.TensorSpec]
    metrics: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> list[tf.TensorSpec]:
        """The signature of its arguments."""
        return [*self.state.values(), tf.TensorSpec([], tf.int32), *self.data.values()]

    def __call__(self, *arguments: tf.Tensor) -> list[tf.Tensor]:
        """Takes the steps."""
        n_state = len(self.state) - 1
        values, (start, n), data = (
            arguments[:n_state],
            arguments[n_state : n_state + 2],
            arguments[n_state + 2 :],
        )
        names, layout = list(self.state)[:n_state], Layout.of(self.step)
        first = tf.cast(start, tf.int64)  # []
        data = dict(zip(self.data, data, strict=True))
        batch_of = self.batches.between(data, first, self.n_most)
        seed = Seed.of(self.seed)

        def take(taken, _, values, rows):
            step = first + tf.cast(taken, tf.int64)
            variables, slots = layout.read(dict(zip(names, values, strict=True)))
            *new, metrics = self.step(variables, slots, batch_of(step), step, seed)
            self.metrics[:] = sorted(metrics)
            row = tf.stack([metrics[name] for name in self.metrics])  # [n_metrics]
            rows = tf.tensor_scatter_nd_update(
                rows, [[taken]], tf.pad(row, [[0, _ROOM - len(self.metrics)]])[None]
            )
            sound = is_sound(metrics)
            new = layout.named(*new)
            # array by array: a conditional over all of them would keep XLA from joining it with the update
            values = [tf.where(sound, new[n], value) for n, value in zip(names, values, strict=True)]
            return taken + tf.cast(sound, tf.int32), sound, values, rows

        begin = (tf.constant(0), tf.constant(True), list(values), tf.zeros([self.n_most, _ROOM]))
        if self.n_most == 1:  # XLA computes convolutions within loops slowly on CPUs
            taken, _, values, rows = take(*begin)
        else:
            taken, _, values, rows = tf.while_loop(lambda taken, sound, *_: (taken < n) & sound, take, begin)
        return [*values, start + taken, taken, rows[:, : len(self.metrics)]]


def program_of(
    step: TrainingStep, batches: PureBatches, data: Mapping[str, np.ndarray], seed: int, n_most: int
) -> Program:
    """Makes the program of a step.

    Args:
        step: the pure step, of one replica.
        batches: what it learns from.
        data: the arrays of `batches`.
        seed: the run's seed.
        n_most: the largest number of steps.

    Raises:
        UserError: the state or the data have types that cannot be exported.
    """
    layout = Layout.of(step)
    variables = Variables(step.model.trainable_weights, step.model.non_trainable_weights)
    slots = {kind: variables.trainable for kind in layout.kinds}  # whose shapes and types slots have
    state = {n: tf.TensorSpec(v.shape, v.dtype) for n, v in layout.named(variables, slots).items()}
    state[GLOBAL_STEP] = tf.TensorSpec([], tf.int32)
    specs = {name: tf.TensorSpec(array.shape, array.dtype) for name, array in data.items()}
    for name, spec in (state | specs).items():
        if spec.dtype.as_numpy_dtype not in _KINDS:
            raise UserError(f"{name} is {spec.dtype.name}: a portable step has no such arrays")
    return Program(step, batches, seed, n_most, state, specs)


def initial_state(program: Program, state: TrainState) -> dict[str, np.ndarray]:
    """Returns a run's state, in the order and with the types of the program."""
    return {n: state.named[n].numpy().astype(s.dtype.as_numpy_dtype) for n, s in program.state.items()}


def phases(options_at: Callable[[int], Mapping[str, Any]], n_steps: int) -> list[tuple[int, dict[str, Any]]]:
    """Returns each phase of the training: its first step, and the model's options in it."""
    found: list[tuple[int, dict[str, Any]]] = []
    for step in range(max(n_steps, 1)):
        options = dict(options_at(step))
        if not found or options != found[-1][1]:
            found.append((step, options))
    return found
