"""A model as the training loop, Keras' `fit` and evaluation see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from discovery.checked_methods import checks_arrays
from discovery.randomness import Seed

Batch = dict[str, tf.Tensor]
Metrics = dict[str, tf.Tensor]
BatchSum = Callable[[tf.Tensor], tf.Tensor]


def one_replica(local_sum: tf.Tensor) -> tf.Tensor:
    """The batch sum of a single replica: what it holds is the whole batch."""
    return local_sum


class TrainableModel(keras.Model):
    """Base of all models: `model(inputs, training=, seed=)` gives a NamedTuple, `losses` what to minimize.

    Every tensor of the outputs has the batch as its first axis. Statistics over the batch are computed
    in `losses`, through `batch_sum` alone: the identity on one replica, a differentiable all-reduce on many.
    """

    #: Seed of the noise in Keras' own `fit`; the training loop passes its own.
    fit_seed: int = 0

    fit = checks_arrays(keras.Model.fit)
    evaluate = checks_arrays(keras.Model.evaluate)
    predict = checks_arrays(keras.Model.predict)
    train_on_batch = checks_arrays(keras.Model.train_on_batch)
    test_on_batch = checks_arrays(keras.Model.test_on_batch)
    predict_on_batch = checks_arrays(keras.Model.predict_on_batch)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Checks and converts what users give, as `checked_inputs` says, and calls the model."""
        if not any(isinstance(value, keras.KerasTensor) for value in tf.nest.flatten(inputs)):
            inputs = self.checked_inputs(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def checked_inputs(self, inputs: Any) -> Any:
        """Turns what users give into the argument of `call`; unless a model says more, it is that argument.

        Raises:
            UserError: it is not what the model takes.
        """
        return inputs

    def checked_batch(self, batch: Batch) -> Batch:
        """Turns what users give to Keras' `fit` and its like into a batch for `losses`, likewise.

        Raises:
            UserError: it is not what the model takes.
        """
        return batch

    def inputs_of(self, batch: Batch | Any) -> Any:
        """Picks the argument of `call` out of a batch; anything but a dict is taken to be that argument."""
        raise NotImplementedError

    def batch_of(self, inputs: Any, labels: tf.Tensor | None) -> Batch:
        """Makes the batch that `losses` reads from Keras' `fit(x, y)`."""
        raise NotImplementedError

    def losses(
        self, batch: Batch, outputs: Any, batch_sum: BatchSum = one_replica
    ) -> tuple[tf.Tensor, Metrics]:
        """Returns the scalar loss over the global batch and scalar metrics (not Keras' list of losses)."""
        raise NotImplementedError

    def loss_and_metrics(
        self,
        batch: Batch,
        step: tf.Tensor,
        seed: Seed | None,
        batch_sum: BatchSum = one_replica,
        training: bool = True,
    ) -> tuple[tf.Tensor, Metrics]:
        """One forward pass, as the training step takes it; a model may add keyword options of its own."""
        del step
        outputs = self(self.inputs_of(batch), training=training, seed=seed)
        return self.losses(batch, outputs, batch_sum)

    def after_step(self, metrics: Metrics, step: tf.Tensor) -> list[tuple[keras.Variable, tf.Tensor]]:
        """Returns new values of non-trainable variables, given the metrics of the step just taken."""
        del metrics, step
        return []

    def train_step(self, data: Any) -> Metrics:
        """One step of Keras' `fit`."""
        step = self.optimizer.iterations
        with tf.GradientTape() as tape:
            loss, metrics = self.loss_and_metrics(
                self._fit_batch(data), step, Seed.of(self.fit_seed).fold(step)
            )
        gradients = tape.gradient(loss, self.trainable_variables)
        if not self.optimizer.built:  # for all variables: a later `fit` may also give labels to the probes
            self.optimizer.build(self.trainable_variables)
        pairs = [(g, v) for g, v in zip(gradients, self.trainable_variables, strict=True) if g is not None]
        self.optimizer.apply_gradients(pairs)
        for variable, value in self.after_step(metrics, step):
            variable.assign(value)
        return metrics

    def test_step(self, data: Any) -> Metrics:
        """One batch of Keras' `evaluate`."""
        return self.loss_and_metrics(self._fit_batch(data), self.optimizer.iterations, None, training=False)[
            1
        ]

    def predict_step(self, data: Any) -> Any:
        """One batch of Keras' `predict`."""
        return self(self.inputs_of(keras.utils.unpack_x_y_sample_weight(data)[0]), training=False)

    def _fit_batch(self, data):
        inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self.checked_batch(inputs if isinstance(inputs, dict) else self.batch_of(inputs, labels))
