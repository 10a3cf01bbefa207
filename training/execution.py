"""Runs the pure step on a state, on all replicas, inside one graph per phase of the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import tensorflow as tf

from protocols import Seed, TrainableModel
from training.replicas import Replicas
from training.step import TrainingStep, is_sound
from training.train_state import TrainState

#: Folded into a step's seed where the model looks at validation examples.
_VALIDATION = 0x5EED


class Execution:
    """Takes training steps; Python is entered once per call, and nothing waits for the device.

    A step that is not sound (`training.step.is_sound`) and all that follow leave the state as it was before
    it, and `state.fault` tells which one it was: looked at seldom, the state is still the last good one.

    Attributes:
        metric_names: of the vector that `steps` returns; known after its first call.
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
        self._functions: dict[tuple, Callable] = {}
        self.metric_names: list[str] = []

    def steps(self, iterator: Any, n: int = 1, **options: Any) -> tf.Tensor:
        """Takes n steps on the iterator's next n batches.

        Args:
            iterator: of `Replicas.iterate`.
            n: number of steps.
            **options: the model's keyword options in this phase; each combination is one graph.

        Returns:
            metrics of the last step, or of the one that went wrong, as a vector [len(metric_names)].
        """
        one, many = self._functions_for(options)
        vector = one(iterator)
        return vector if n == 1 else many(iterator, tf.constant(n - 1), vector)

    def _functions_for(self, options: Mapping[str, Any]):
        key = tuple(sorted(options.items()))
        if key not in self._functions:
            step = replace(self._step, options=options)
            pure = tf.function(step, autograph=False, jit_compile=True) if self._jit_compile else step

            @tf.function(autograph=False)
            def one(iterator):
                return self._take(pure, iterator, None)

            @tf.function(autograph=False)
            def many(iterator, n, vector):
                return tf.while_loop(
                    lambda i, _: i < n,
                    lambda i, last: (i + 1, self._take(pure, iterator, last)),
                    (tf.constant(0), vector),
                    parallel_iterations=1,
                )[1]

            self._functions[key] = (one, many)
        return self._functions[key]

    def _take(self, pure, iterator, last):
        """Takes one step; `last` is the vector to return where the state is frozen already."""

        def on_replica(batch):
            variables, slots = self._state.read()
            count, fault = tf.identity(self._state.step), tf.identity(self._state.fault)
            *new, metrics = pure(variables, slots, batch, count, self._replicas.seed(self._key))
            names = sorted(metrics)
            self.metric_names = names
            vector = tf.stack([metrics[name] for name in names])  # [n_metrics]
            frozen = fault >= 0
            healthy = is_sound(metrics) & ~frozen
            new, count, fault = tf.cond(
                healthy,
                lambda: (new, count + 1, fault),
                lambda: ([variables, slots], count, tf.where(frozen, fault, count)),
            )
            if last is not None:
                vector = tf.where(frozen, last, vector)
            return (*new, count, fault), vector

        new, vector = self._replicas.strategy.run(on_replica, args=(iterator.get_next(),))
        self._state.assign(*new)
        return self._replicas.first(vector)


class Validation:
    """Metrics of a model on validation batches, without noise and without changing anything."""

    def __init__(self, model: TrainableModel, state: TrainState, replicas: Replicas, seed: int):
        self._model = model
        self._state = state
        self._replicas = replicas
        self._key = Seed.of(seed).key  # [2]
        self._functions: dict[tuple, Callable] = {}
        self.metric_names: list[str] = []

    def __call__(self, iterator: Any, **options: Any) -> tf.Tensor:
        """Returns the metrics of the iterator's next batch as a vector [len(metric_names)]."""
        key = tuple(sorted(options.items()))
        if key not in self._functions:
            self._functions[key] = tf.function(lambda i: self._metrics(i, options), autograph=False)
        return self._functions[key](iterator)

    def _metrics(self, iterator, options):
        def on_replica(batch):
            step = tf.identity(self._state.step)
            seed = self._replicas.seed(self._key).fold(step).fold(_VALIDATION)
            loss, metrics = self._model.loss_and_metrics(
                batch, step, seed, batch_sum=self._replicas.batch_sum, training=False, **options
            )
            metrics = {**metrics, "loss": loss}
            self.metric_names = sorted(metrics)
            return tf.stack([tf.cast(metrics[name], tf.float32) for name in self.metric_names])

        return self._replicas.first(self._replicas.strategy.run(on_replica, args=(iterator.get_next(),)))
