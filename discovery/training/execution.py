"""Runs the pure step on a state, on all replicas, inside one graph per phase of the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import tensorflow as tf

from discovery import Seed, TrainableModel
from discovery.distributed.replicas import Replicas
from discovery.training.step import TrainingStep, is_sound
from discovery.training.train_state import TrainState

#: Folded into a step's seed where the model looks at validation examples.
_VALIDATION = 0x5EED


class StepMetrics(NamedTuple):
    """Metrics that may still be on their way from the device.

    Attributes:
        names: sorted.
        values: float32 [n_metrics].
    """

    names: tuple[str, ...]
    values: tf.Tensor

    def as_floats(self) -> dict[str, float]:
        """Waits for the device; returns the values by name."""
        return dict(zip(self.names, self.values.numpy().tolist(), strict=True))


class Execution:
    """Takes training steps; Python is entered once per call, and nothing waits for the device.

    A step that is not sound (`discovery.training.step.is_sound`) and all that follow leave the state as it
    was before it, and `state.fault` says which one it was: even if that is checked rarely, the state is still
    the last good one.
    """

    def __init__(
        self, step: TrainingStep, state: TrainState, replicas: Replicas, seed: int, jit_compile: bool = False
    ):
        """Prepares a step for replicas.

        Args:
            step: the pure step; its sums over replicas are set here.
            state: what it changes.
            replicas: where it runs.
            seed: of the run.
            jit_compile: whether XLA compiles the step as a whole; on one replica only.
        """
        if jit_compile and replicas.n > 1:
            raise ValueError("XLA compiles the whole step on one replica only")
        self._step = replace(step, batch_sum=replicas.batch_sum, gradient_sum=replicas.gradient_sum)
        self._state = state
        self._replicas = replicas
        self._key = Seed.of(seed).key  # [2]
        self._jit_compile = jit_compile
        self._functions: dict[tuple, tuple[Callable, Callable, list[str]]] = {}

    def steps(self, iterator: Any, n: int = 1, **options: Any) -> StepMetrics:
        """Takes n steps on the iterator's next n batches.

        Args:
            iterator: of `Replicas.iterate`.
            n: number of steps.
            **options: the model's keyword options in this phase; each combination is one graph.

        Returns:
            metrics of the last step, or of the one that went wrong.
        """
        one, many, names = self._functions_for(options)
        values = one(iterator)
        if n > 1:
            values = many(iterator, tf.constant(n - 1), values)
        return StepMetrics(tuple(names), values)

    def _functions_for(self, options: Mapping[str, Any]):
        key = tuple(sorted(options.items()))
        if key not in self._functions:
            step = replace(self._step, options=options)
            pure = tf.function(step, autograph=False, jit_compile=True) if self._jit_compile else step
            names: list[str] = []  # known once a step is traced

            @tf.function(autograph=False)
            def one(iterator):
                return self._take(pure, iterator, names, None)

            @tf.function(autograph=False)
            def many(iterator, n, values):
                return tf.while_loop(
                    lambda i, _: i < n,
                    lambda i, last: (i + 1, self._take(pure, iterator, names, last)),
                    (tf.constant(0), values),
                    parallel_iterations=1,
                )[1]

            self._functions[key] = (one, many, names)
        return self._functions[key]

    def _take(self, pure, iterator, names, last):
        """Takes one step and fills in `names`; `last` is what to return where the state is frozen already."""

        def on_replica(batch):
            variables, slots = self._state.read()
            count, fault = tf.identity(self._state.step), tf.identity(self._state.fault)
            *new, metrics = pure(variables, slots, batch, count, self._replicas.seed(self._key))
            names[:] = sorted(metrics)
            values = tf.stack([metrics[name] for name in names])  # [n_metrics]
            frozen = fault >= 0
            healthy = is_sound(metrics) & ~frozen
            new, count, fault = tf.cond(
                healthy,
                lambda: (new, count + 1, fault),
                lambda: ([variables, slots], count, tf.where(frozen, fault, count)),
            )
            if last is not None:
                values = tf.where(frozen, last, values)
            return (*new, count, fault), values

        new, values = self._replicas.strategy.run(on_replica, args=(iterator.get_next(),))
        self._state.assign(*new)
        return self._replicas.first(values)


class Validation:
    """Metrics of a model on validation batches, without noise and without changing anything."""

    def __init__(self, model: TrainableModel, state: TrainState, replicas: Replicas, seed: int):
        self._model = model
        self._state = state
        self._replicas = replicas
        self._key = Seed.of(seed).key  # [2]
        self._functions: dict[tuple, tuple[Callable, list[str]]] = {}

    def __call__(self, iterator: Any, **options: Any) -> StepMetrics:
        """Returns the metrics of the iterator's next batch."""
        key = tuple(sorted(options.items()))
        if key not in self._functions:
            names: list[str] = []  # known once it is traced
            function = tf.function(lambda i: self._metrics(i, names, options), autograph=False)
            self._functions[key] = (function, names)
        function, names = self._functions[key]
        values = function(iterator)
        return StepMetrics(tuple(names), values)

    def _metrics(self, iterator, names, options):
        def on_replica(batch):
            step = tf.identity(self._state.step)
            seed = self._replicas.seed(self._key).fold(step).fold(_VALIDATION)
            loss, metrics = self._model.loss_and_metrics(
                batch, step, seed, batch_sum=self._replicas.batch_sum, training=False, **options
            )
            metrics = {**metrics, "loss": loss}
            names[:] = sorted(metrics)
            return tf.stack([tf.cast(metrics[name], tf.float32) for name in names])

        return self._replicas.first(self._replicas.strategy.run(on_replica, args=(iterator.get_next(),)))
