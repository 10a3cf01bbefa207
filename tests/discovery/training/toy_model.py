"""The smallest model with everything that training has to get right."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from discovery import DataSource, TrainableModel, one_replica

N_FEATURES = 3


class ToyOutputs(NamedTuple):
    code: tf.Tensor  # [B, 2]


class ToyModel(TrainableModel):
    """Dense layer, noise, a batch statistic, a weight without gradient, and one moved by after_step."""

    def __init__(self, width=2, name="toy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.dense = keras.layers.Dense(width, kernel_initializer="ones", name="dense")
        self.unused = self.add_weight(shape=(2,), initializer="ones", name="unused")
        self.pull = self.add_weight(shape=(), initializer="ones", trainable=False, name="pull")

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.built = True

    def inputs_of(self, batch):
        return batch["x"] if isinstance(batch, dict) else batch

    def batch_of(self, inputs, labels):
        return {"x": inputs}

    def call(self, inputs, training=False, seed=None):
        code = self.dense(inputs)  # [B, 2]
        if training and seed is not None:
            code = code + 0.1 * seed.fold(0).normal((tf.shape(code)[0], code.shape[1]))
        return ToyOutputs(tf.nn.sigmoid(code))

    def losses(self, batch, outputs, batch_sum=one_replica):
        n = batch_sum(tf.cast(tf.shape(outputs.code)[0], tf.float32))
        mean = batch_sum(tf.reduce_sum(outputs.code, 0)) / n  # [2]
        entropy = -tf.reduce_sum(mean * tf.math.log(mean))  # nonlinear in a statistic of the whole batch
        fit = batch_sum(tf.reduce_sum(tf.square(outputs.code - batch["x"][:, :2]))) / n
        decay = 0.01 * tf.reduce_sum(tf.square(self.dense.kernel))
        return fit + self.pull * entropy + decay, {"fit": fit, "entropy": entropy}

    def loss_and_metrics(self, batch, step, seed, batch_sum=one_replica, training=True, entropy_factor=1.0):
        loss, metrics = super().loss_and_metrics(batch, step, seed, batch_sum, training)
        if entropy_factor != 1.0:  # a phase may have metrics of its own
            metrics = {**metrics, "factor": entropy_factor}
        return loss * entropy_factor, metrics

    def after_step(self, metrics, step):
        return [(self.pull, self.pull * 0.99 + 0.01 * metrics["entropy"])]


def make_toy(width=2):
    model = ToyModel(width)
    model.build((None, N_FEATURES))
    return model


def toy_batch(step, batch_size=8):
    rows = np.random.default_rng([step, 5]).uniform(size=(batch_size, N_FEATURES)).astype(np.float32)
    return {"x": rows}


def toy_data(batch_size=8, n_steps=400, change=lambda arrays: arrays):
    """Batches that depend on the step alone; `change` edits the training array [steps, B, 3]."""
    train = change(np.stack([toy_batch(i, batch_size)["x"] for i in range(n_steps)]))
    valid = np.stack([toy_batch(10_000 + i, batch_size)["x"] for i in range(20)])

    def endless(array, start):
        dataset = tf.data.Dataset.from_tensor_slices({"x": np.roll(array, -(start % len(array)), axis=0)})
        return dataset.repeat()

    return DataSource(
        train=lambda start: endless(train, start),
        valid=lambda start: endless(valid, start),
        whole=lambda name: tf.data.Dataset.from_tensor_slices({"x": train if name == "train" else valid}),
    )
