"""The training step as a pure function of variables, slots, batch, step and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from discovery import Batch, BatchSum, Metrics, Seed, TrainableModel, one_replica
from discovery.training.gradient_clipping import GRADIENT_STATISTICS, Clipping, Gradients, gradient_statistics
from discovery.training.optimizers import Optimizer, Slots
from discovery.training.schedules import Schedule

GradientSum = Callable[[Gradients], Gradients]


class Variables(NamedTuple):
    """Values of a model's weights, in the model's order.

    Attributes:
        trainable: values of `model.trainable_weights`.
        non_trainable: values of `model.non_trainable_weights`.
    """

    trainable: list[tf.Tensor]
    non_trainable: list[tf.Tensor]


@dataclass(frozen=True, eq=False)  # hashed by identity, as tf.function requires
class TrainingStep:
    """One optimizer step as a pure function, which XLA can compile as a whole where there is one replica.

    Called in every replica with that replica's rows; `seed` is the run's and says how many replicas there
    are. The metrics are float32 scalars of the global batch: the model's own, `loss`, `lr`,
    `grad_global_norm` (before clipping), `clipped_grad_norm` where anything is clipped, and `grad/*` at every
    `statistics_every`-th step.

    Attributes:
        model: a built model.
        optimizer: the pure update.
        schedule: step -> learning rate.
        clipping: how the all-reduced gradients are clipped.
        options: the model's own keyword options of `loss_and_metrics` in this phase of the training.
        statistics_every: `grad/*` are computed at every such step, and zero at others; 0: never.
        batch_sum: the sum over replicas of a batch statistic, differentiable.
        gradient_sum: the sum over replicas of a list of gradients.
    """

    model: TrainableModel
    optimizer: Optimizer
    schedule: Schedule
    clipping: Clipping = field(default_factory=Clipping)
    options: Mapping[str, Any] = field(default_factory=dict)
    statistics_every: int = 0
    batch_sum: BatchSum = one_replica
    gradient_sum: GradientSum = list

    def __call__(
        self, variables: Variables, slots: Slots, batch: Batch, step: tf.Tensor, seed: Seed
    ) -> tuple[Variables, Slots, Metrics]:
        """Takes one step.

        Args:
            variables: values before the step.
            slots: the optimizer's, before the step.
            batch: the rows of this replica.
            step: int64 [], number of steps taken before this one.
            seed: the run's seed, as this replica sees it.

        Returns:
            variables, slots and metrics after the step, equal on every replica.
        """
        loss, metrics, gradients, non_trainable = self.gradients(variables, batch, step, seed)
        learning_rate = self.schedule(step)
        metrics = {**metrics, "loss": loss, "lr": learning_rate, **self._gradient_metrics(gradients, step)}
        clipped, clipped_norm = self.clipping.clip(gradients)
        if self.clipping.active:
            metrics["clipped_grad_norm"] = clipped_norm
        trainable, slots = self.optimizer.update(clipped, slots, variables.trainable, learning_rate, step)
        variables = self._after_step(Variables(trainable, non_trainable), metrics, step)
        return variables, slots, {k: tf.ensure_shape(tf.cast(v, tf.float32), []) for k, v in metrics.items()}

    def gradients(
        self, variables: Variables, batch: Batch, step: tf.Tensor, seed: Seed
    ) -> tuple[tf.Tensor, Metrics, Gradients, list[tf.Tensor]]:
        """Returns the loss, the model's metrics, the all-reduced gradients, and the non-trainable values."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables.trainable)
            with self._holding(variables) as scope:
                loss, metrics = self.model.loss_and_metrics(
                    batch, step, seed.fold(step), batch_sum=self.batch_sum, training=True, **self.options
                )
            # The gradient of an all-sum is an all-sum: every replica sees R times its part of the gradient.
            share = loss / seed.n_replicas
        gradients = tape.gradient(share, variables.trainable)
        gradients = [None if g is None else tf.convert_to_tensor(g) for g in gradients]
        summed = iter(self.gradient_sum([g for g in gradients if g is not None]))
        gradients = [None if g is None else next(summed) for g in gradients]
        return (
            loss,
            metrics,
            gradients,
            [scope.get_current_value(v) for v in self.model.non_trainable_weights],
        )

    def _holding(self, variables: Variables) -> keras.StatelessScope:
        weights = [*self.model.trainable_weights, *self.model.non_trainable_weights]
        values = [*variables.trainable, *variables.non_trainable]
        return keras.StatelessScope(list(zip(weights, values, strict=True)))

    def _gradient_metrics(self, gradients, step):
        norm = tf.linalg.global_norm(gradients)  # []
        if (
            self.clipping.active
        ):  # an infinite element may be clipped away; it must not spoil a moving average
            norm = tf.where(tf.math.is_finite(norm), norm, -1.0)
        metrics = {"grad_global_norm": norm}
        if self.statistics_every > 0:
            metrics |= tf.cond(
                tf.equal((step + 1) % self.statistics_every, 0),
                lambda: gradient_statistics(gradients),
                lambda: dict.fromkeys(GRADIENT_STATISTICS, tf.constant(0.0)),
            )
        return metrics

    def _after_step(self, variables, metrics, step):
        positions = {id(v): i for i, v in enumerate(self.model.non_trainable_weights)}
        non_trainable = list(variables.non_trainable)
        with self._holding(variables):
            for variable, value in self.model.after_step(metrics, step):
                if id(variable) not in positions:
                    raise ValueError(f"after_step may change non-trainable weights only, not {variable.path}")
                non_trainable[positions[id(variable)]] = tf.cast(value, variable.dtype)
        return Variables(variables.trainable, non_trainable)


def is_sound(metrics: Metrics) -> tf.Tensor:
    """Whether a step may be kept: nothing is NaN, and the loss and the gradients are finite; bool []."""
    finite = [metrics["loss"], metrics.get("clipped_grad_norm", metrics["grad_global_norm"])]
    return tf.reduce_all(tf.math.is_finite(tf.stack(finite))) & ~tf.reduce_any(
        tf.math.is_nan(tf.stack(list(metrics.values())))
    )
