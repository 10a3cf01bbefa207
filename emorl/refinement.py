"""Iterative refinement of the last posterior from the gradient of the loss (EMORL, section 3.2)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emorl import initializers
from emorl.dual_gru import GRUCell

HIDDEN = 128


@keras.saving.register_keras_serializable(package="emorl")
class RefinementNetwork(keras.layers.Layer):
    """Proposes a change of the posterior's parameters, given them and the loss's gradient.

    Args:
        z_size: z, size of a slot.
        init_seed: seed of the initial weights.
        init_gain: gain of the Xavier-normal initial weights.
        name: name of the layer.
        **kwargs: Keras' layer arguments.
    """

    def __init__(
        self,
        z_size: int,
        init_seed: int = 0,
        init_gain: float = initializers.GAIN,
        name="refinement",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.z_size, self.init_seed, self.init_gain = z_size, init_seed, init_gain
        self.encoding_0 = self._dense("encoding_0", HIDDEN, "elu")
        self.encoding_1 = self._dense("encoding_1", z_size)
        self.gru = GRUCell(z_size, "uniform", init_seed, name="gru")
        self.to_mean = self._dense("mean", z_size)
        self.to_variance = self._dense("variance", z_size)

    def build(self, input_shape=None):
        """Creates the weights for parameters [B, K, 2z]."""
        self.encoding_0.build((None, None, 4 * self.z_size))
        self.encoding_1.build((None, None, HIDDEN))
        for layer in (self.gru, self.to_mean, self.to_variance):
            layer.build((None, None, self.z_size))

    def call(
        self, parameters: tf.Tensor, gradient: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes one refinement step.

        EMORL, Eq. 6, refinement network: delta lambda = f(lambda^(L,i-1), LN(grad_lambda L^(L,i-1))).

        Args:
            parameters: [B, K, 2z], means and variance logits.
            gradient: [B, K, 2z], of the loss with respect to `parameters`; nothing flows back through it.
            state: [B, K, z], of the recurrence; initially zeros.

        Returns:
            What to add to the parameters, [B, K, 2z], and the next state.
        """
        d_mean, d_variance = tf.split(gradient, 2, axis=-1)  # each [B, K, z]
        d_mean = tf.stop_gradient(normalize(d_mean))
        d_variance = tf.stop_gradient(normalize(d_variance))
        x = tf.concat([parameters, d_mean, d_variance], -1)  # [B, K, 4z]
        state = self.gru(self.encoding_1(self.encoding_0(x)), state)  # [B, K, z]
        return tf.concat([self.to_mean(state), self.to_variance(state)], -1), state

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"z_size": self.z_size, "init_seed": self.init_seed, "init_gain": self.init_gain}
        return {**super().get_config(), **own}

    def _dense(self, name, units, activation=None):
        rule = initializers.xavier_normal(self.init_seed, f"{self.name}/{name}", self.init_gain)
        return keras.layers.Dense(units, activation, name=name, **rule)


def normalize(x: tf.Tensor) -> tf.Tensor:
    """Layer normalization without scale and offset: zero mean, unit variance over the last axis."""
    centered = x - tf.reduce_mean(x, -1, keepdims=True)  # [..., z]
    return centered * tf.math.rsqrt(tf.reduce_mean(tf.square(centered), -1, keepdims=True) + 1e-5)
