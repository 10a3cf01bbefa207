"""The recurrences: a GRU cell as in PyTorch, and the DualGRU, which consists of two of them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from discovery import UserError
from emorl import initializers


@keras.saving.register_keras_serializable(package="emorl")
class GRUCell(keras.layers.Layer):
    """One step of a gated recurrent unit whose reset gate acts after the recurrent product.

    Gates are in the order reset, update, new. `kernel` [in, 3h], `recurrent_kernel` [h, 3h] and the two
    biases `bias` and `recurrent_bias` [3h] are all initialized by the same rule.

    Args:
        units: h, size of the state.
        weights: "uniform" within 1 / sqrt(h), or "normal": N(0, 1).
        init_seed: seed of the initial weights.
        name: name of the layer; together with the seed, it determines the initial weights.
        **kwargs: Keras' layer arguments.

    Raises:
        UserError: if `weights` is neither.
    """

    def __init__(self, units: int, weights: str = "uniform", init_seed: int = 0, name="gru", **kwargs):
        super().__init__(name=name, **kwargs)
        if weights not in ("uniform", "normal"):
            raise UserError(f"GRUCell: weights must be 'uniform' or 'normal', not {weights!r}.")
        self.units, self.weight_rule, self.init_seed = units, weights, init_seed

    def build(self, input_shape):
        """Creates the weights for inputs [..., in]."""
        h = self.units
        self.kernel = self._weight("kernel", (input_shape[-1], 3 * h))
        self.recurrent_kernel = self._weight("recurrent_kernel", (h, 3 * h))
        self.bias = self._weight("bias", (3 * h,))
        self.recurrent_bias = self._weight("recurrent_bias", (3 * h,))

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Returns the state [..., h] after `state` [..., h] and `inputs` [..., in]."""
        x = tf.tensordot(inputs, self.kernel, 1) + self.bias  # [..., 3h]
        s = tf.tensordot(state, self.recurrent_kernel, 1) + self.recurrent_bias  # [..., 3h]
        x_reset, x_update, x_new = tf.split(x, 3, axis=-1)  # each [..., h]
        s_reset, s_update, s_new = tf.split(s, 3, axis=-1)
        reset = tf.sigmoid(x_reset + s_reset)
        update = tf.sigmoid(x_update + s_update)
        new = tf.tanh(x_new + reset * s_new)
        return (1.0 - update) * new + update * state  # [..., h]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"units": self.units, "weights": self.weight_rule, "init_seed": self.init_seed}
        return {**super().get_config(), **own}

    def _weight(self, name, shape):
        key = f"{self.name}/{name}"
        if self.weight_rule == "normal":
            rule = initializers.standard_normal(self.init_seed, key)
        else:
            rule = initializers.uniform(self.init_seed, key, self.units)
        return self.add_weight(name=name, shape=shape, initializer=rule)


@keras.saving.register_keras_serializable(package="emorl")
class DualGRU(keras.layers.Layer):
    """Two GRUs side by side: one for the posterior's mean, one for its variance (EMORL, section 3.1).

    Args:
        units: z, size of either state.
        init_seed: seed of the initial weights, which are standard normal.
        name: name of the layer.
        **kwargs: Keras' layer arguments.
    """

    def __init__(self, units: int, init_seed: int = 0, name="dual_gru", **kwargs):
        super().__init__(name=name, **kwargs)
        self.units, self.init_seed = units, init_seed
        self.mean_gru = GRUCell(units, "normal", init_seed, name="mean_gru")
        self.variance_gru = GRUCell(units, "normal", init_seed, name="variance_gru")

    def build(self, input_shape):
        """Creates the weights for inputs [..., 2 in]."""
        half = (*input_shape[:-1], input_shape[-1] // 2)
        self.mean_gru.build(half)
        self.variance_gru.build(half)

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Returns the state after `state` [..., 2z] and `inputs` [..., 2 in]; mean halves come first.

        EMORL, Eq. 9, DualGRU, two GRUs side by side: W = [[W^1, 0], [0, W^2]], for mean and variance.
        """
        mean_input, variance_input = tf.split(inputs, 2, axis=-1)
        mean, variance = tf.split(state, 2, axis=-1)
        return tf.concat(
            [self.mean_gru(mean_input, mean), self.variance_gru(variance_input, variance)], -1
        )  # [..., 2z]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "units": self.units, "init_seed": self.init_seed}
