"""From an image to one feature vector per pixel."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from discovery import UserError, check_precision, convolution_dtype
from emorl import initializers
from emorl.positional_embedding import positional_embedding

CHANNELS = 64


@keras.saving.register_keras_serializable(package="emorl")
class ImageEncoder(keras.layers.Layer):
    """Four 5x5 convolutions, the position of each pixel, and an MLP on each pixel.

    Args:
        size: height and width of the images.
        weights: "xavier" as in EMORL, "torch" (PyTorch's defaults) as in its Slot Attention. The position
            projection is always initialized by PyTorch's rule.
        init_seed: seed of the initial weights.
        precision: "float32", or "mixed_bfloat16" for bfloat16 convolutions with float32 weights.
        init_gain: gain of the initial weights if they are "xavier".
        channels: C, of all layers.
        name: name of the layer.
        **kwargs: Keras' layer arguments.

    Raises:
        UserError: if `weights` is neither.
    """

    def __init__(
        self,
        size: int,
        weights: str = "xavier",
        init_seed: int = 0,
        precision: str = "float32",
        init_gain: float = initializers.GAIN,
        channels: int = CHANNELS,
        name="encoder",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if weights not in ("xavier", "torch"):
            raise UserError(f"ImageEncoder: weights must be 'xavier' or 'torch', not {weights!r}.")
        self.size, self.weight_rule, self.channels = size, weights, channels
        self.init_seed, self.init_gain = init_seed, init_gain
        self.precision = check_precision(precision)
        self.convolutions = [
            keras.layers.Conv2D(
                channels,
                5,
                padding="same",
                activation="relu",
                name=f"conv_{i}",
                dtype=convolution_dtype(precision),
                **self._rule(f"conv_{i}", 25 * (channels if i else 3)),
            )
            for i in range(4)
        ]
        position_rule = initializers.torch_uniform(init_seed, f"{name}/position_projection", 4)
        self.position_projection = keras.layers.Dense(channels, name="position_projection", **position_rule)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")
        self.dense_0 = keras.layers.Dense(channels, "relu", name="dense_0", **self._rule("dense_0", channels))
        self.dense_1 = keras.layers.Dense(channels, name="dense_1", **self._rule("dense_1", channels))

    def build(self, input_shape):
        """Creates the weights for images [B, size, size, 3]."""
        shape = tuple(input_shape)
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = (*shape[:-1], self.channels)
        self.position_projection.build((None, None, 4))
        for layer in (self.norm, self.dense_0, self.dense_1):
            layer.build((None, None, self.channels))

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Encodes images [B, H, W, 3] in [-1, 1] as features [B, H * W, C]."""
        x = images
        for convolution in self.convolutions:
            x = convolution(x)  # [B, H, W, C]
        x = tf.cast(x, images.dtype)
        position = tf.constant(positional_embedding(self.size, self.size), x.dtype)  # [H, W, 4]
        x = x + self.position_projection(position)  # [B, H, W, C]
        x = tf.reshape(x, [-1, self.size * self.size, self.channels])  # [B, H * W, C]
        return self.dense_1(self.dense_0(self.norm(x)))  # [B, H * W, C]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"size": self.size, "weights": self.weight_rule}
        own |= {"init_seed": self.init_seed, "init_gain": self.init_gain}
        return {**super().get_config(), **own, "precision": self.precision, "channels": self.channels}

    def _rule(self, name, fan_in):
        key = f"{self.name}/{name}"
        if self.weight_rule == "xavier":
            return initializers.xavier_normal(self.init_seed, key, self.init_gain)
        return initializers.torch_uniform(self.init_seed, key, fan_in)
