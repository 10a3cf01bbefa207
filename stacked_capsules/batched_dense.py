"""Dense layers and MLPs with separate weights for each capsule."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from stacked_capsules.initializers import fan_in_normal
from stacked_capsules.nonlinearities import nonlinearity


@keras.saving.register_keras_serializable(package="stacked_capsules")
class BatchedMLP(keras.layers.Layer):
    """k MLPs applied to k vectors.

    Args:
        n_units: Widths of the layers, ending with the output's.
        activation: Name of the nonlinearity after each hidden layer.
        activate_final: Whether to apply it after the last layer too.
        use_bias: Whether the last layer has a bias; hidden layers always do.
    """

    def __init__(
        self,
        n_units: Sequence[int],
        activation: str = "relu",
        activate_final: bool = False,
        use_bias: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.n_units = list(n_units)
        self.activation = activation
        self.activate_final = activate_final
        self.use_bias = use_bias
        self._nonlinearity = nonlinearity(activation)
        last = len(self.n_units) - 1
        self.dense = [
            BatchedDense(n, use_bias=use_bias or i < last, name=f"dense_{i}")
            for i, n in enumerate(self.n_units)
        ]

    def build(self, input_shape):
        """Creates the weights; `input_shape` is [B, k, d]."""
        for layer in self.dense:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Applies MLP k to the k-th vector: [B, k, d] -> [B, k, n_units[-1]]."""
        for layer in self.dense[:-1]:
            x = self._nonlinearity(layer(x))  # [B, k, hidden]
        x = self.dense[-1](x)  # [B, k, out]
        return self._nonlinearity(x) if self.activate_final else x

    def compute_output_shape(self, input_shape):
        """[B, k, d] -> [B, k, n_units[-1]]."""
        return (*input_shape[:-1], self.n_units[-1])

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "n_units": self.n_units,
            "activation": self.activation,
            "activate_final": self.activate_final,
            "use_bias": self.use_bias,
        }


@keras.saving.register_keras_serializable(package="stacked_capsules")
class BatchedDense(keras.layers.Layer):
    """k affine maps applied to k vectors; `kernel` is [k, in, out], `bias` [k, out].

    Args:
        units: Width of the output.
        use_bias: Whether there is a bias.
    """

    def __init__(self, units: int, use_bias: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.use_bias = use_bias

    def build(self, input_shape):
        """Creates the weights; `input_shape` is [B, k, d]."""
        _, k, d = input_shape
        self.kernel = self.add_weight(name="kernel", shape=(k, d, self.units), initializer=fan_in_normal(k))
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(k, self.units), initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Applies map k to the k-th vector: [B, k, d] -> [B, k, units]."""
        y = tf.einsum("bki,kio->bko", x, self.kernel)  # [B, k, out]
        return y if self.bias is None else y + self.bias

    def compute_output_shape(self, input_shape):
        """[B, k, d] -> [B, k, units]."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "units": self.units, "use_bias": self.use_bias}
