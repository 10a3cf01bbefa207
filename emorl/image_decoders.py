"""From slots to images: each slot is broadcast over a grid and decoded into colors and a mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from discovery import UserError, check_precision, convolution_dtype
from emorl import initializers
from emorl.broadcast_convolution import convolve_broadcast
from emorl.likelihood_gradient import with_early_gradient
from emorl.positional_embedding import positional_embedding

OUTPUTS = 4  # three colors and the mask's logit


class Decoding(NamedTuple):
    """The decoded slots of an image.

    Attributes:
        means: float32 [B, K, H, W, 3] in (0, 1), each slot's colors.
        mask_log_probs: float32 [B, K, H, W, 1], log-probability that a pixel belongs to the slot; the
            probabilities sum to 1 over slots.
    """

    means: tf.Tensor
    mask_log_probs: tf.Tensor

    @property
    def reconstruction(self) -> tf.Tensor:
        """The slots' colors, mixed by their masks: [B, H, W, 3] in (0, 1)."""
        return tf.reduce_sum(self.means * tf.exp(self.mask_log_probs), axis=1)


class ImageDecoder(keras.layers.Layer):
    """Spatial broadcast decoder; subclasses define the convolutions, the grid and `own_channels`.

    Args:
        size: height and width of the images.
        z_size: z, size of a slot.
        init_seed: seed of the initial weights.
        precision: "float32", or "mixed_bfloat16" for bfloat16 convolutions with float32 weights.
        init_gain: gain of the initial weights.
        channels: of the hidden layers; 0: `own_channels`.
        name: name of the layer.
        **kwargs: Keras' layer arguments.
    """

    #: Of the hidden layers, as published.
    own_channels: int

    def __init__(
        self,
        size: int,
        z_size: int,
        init_seed: int = 0,
        precision: str = "float32",
        init_gain: float = initializers.GAIN,
        channels: int = 0,
        name="decoder",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.size, self.z_size = size, z_size
        self.init_seed, self.init_gain = init_seed, init_gain
        self.precision = check_precision(precision)
        self.channels = channels or self.own_channels
        self.position_projection = keras.layers.Dense(
            z_size, name="position_projection", **self._rule("position_projection")
        )
        self.convolutions = self._make_convolutions()

    @property
    def grid_size(self) -> int:
        """Height and width of the grid on which slots are broadcast."""
        raise NotImplementedError

    def build(self, input_shape=None):
        """Creates the weights for slots [B, K, z]."""
        self.position_projection.build((None, None, 4))
        channels = self.z_size
        for convolution in self.convolutions:
            convolution.build((None, None, None, channels))
            channels = convolution.filters

    def call(self, slots: tf.Tensor) -> Decoding:
        """Decodes slots [B, K, z].

        EMORL, section 3.1, mixing masks and colors of the slots:
            pi_k = softmax_k(mask logits of z_k), y_k = sigmoid(colors of z_k).
        """
        n_slots, size = slots.shape[1], self.size
        x = tf.cast(self.render(tf.reshape(slots, [-1, self.z_size])), slots.dtype)  # [B * K, H, W, 4]
        x = tf.reshape(x, [-1, n_slots, size, size, OUTPUTS])  # [B, K, H, W, 4]
        return Decoding(tf.sigmoid(x[..., :3]), tf.nn.log_softmax(x[..., 3:], axis=1))

    def decode_and_score(
        self, slots: tf.Tensor, score: Callable[[Decoding], tf.Tensor], early_gradient: bool = False
    ) -> tuple[Decoding, tf.Tensor]:
        """Decodes slots [B, K, z], and scores what they look like.

        Args:
            slots: [B, K, z].
            score: Scores [B] of a decoding, each of its own image.
            early_gradient: Form the gradient of the scores at once, for two losses that need it at different
                times (`with_early_gradient`).

        Returns:
            The decoding and its scores.
        """
        if not early_gradient:
            decoding = self(slots)
            return decoding, score(decoding)
        weights = [variable.value for variable in self.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([slots, *weights])
            decoding = self(slots)
            scores = score(decoding)  # [B]
            total = tf.reduce_sum(scores)  # []
        d_slots, *d_weights = tape.gradient(total, [slots, *weights])
        weights = [tf.convert_to_tensor(weight) for weight in weights]
        return decoding, with_early_gradient(scores, slots, d_slots, weights, d_weights)

    def render(self, slots: tf.Tensor) -> tf.Tensor:
        """Decodes slots [n, z] separately: [n, H, W, 4], before any nonlinearity."""
        raise NotImplementedError

    def position(self, dtype: tf.DType) -> tf.Tensor:
        """Returns the position map that is added to a slot broadcast over the grid: [g, g, z]."""
        embedding = tf.constant(positional_embedding(self.grid_size, self.grid_size), dtype)  # [g, g, 4]
        return self.position_projection(embedding)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"size": self.size, "z_size": self.z_size}
        own |= {"init_seed": self.init_seed, "init_gain": self.init_gain}
        return {**super().get_config(), **own, "precision": self.precision, "channels": self.channels}

    def _make_convolutions(self):
        raise NotImplementedError

    def _first(self, slots, border):
        """Applies the first convolution to the broadcast slots."""
        first = self.convolutions[0]
        kernel, bias = tf.convert_to_tensor(first.kernel), tf.convert_to_tensor(first.bias)
        return first.activation(convolve_broadcast(slots, self.position(slots.dtype), kernel, bias, border))

    def _rule(self, name):
        return initializers.xavier_normal(self.init_seed, f"{self.name}/{name}", self.init_gain)

    def _conv(self, i, filters, kernel, activation):
        return keras.layers.Conv2D(
            filters,
            kernel,
            activation=activation,
            name=f"conv_{i}",
            dtype=convolution_dtype(self.precision),
            **self._rule(f"conv_{i}"),
        )


@keras.saving.register_keras_serializable(package="emorl")
class SmallDecoder(ImageDecoder):
    """For Tetrominoes and Multi-dSprites: three 5x5 convolutions of 32 channels and a 3x3 one."""

    own_channels = 32

    @property
    def grid_size(self) -> int:
        """Each 5x5 convolution is padded by one, so it shrinks the grid by two."""
        return self.size + 6

    def render(self, slots: tf.Tensor) -> tf.Tensor:
        """Runs the convolutions, each with a zero border of one pixel."""
        x = self._first(slots, border=1)
        for convolution in self.convolutions[1:]:
            x = convolution(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]))
        return x  # [n, H, W, 4]

    def _make_convolutions(self):
        return [*(self._conv(i, self.channels, 5, "relu") for i in range(3)), self._conv(3, OUTPUTS, 3, None)]


@keras.saving.register_keras_serializable(package="emorl")
class IodineDecoder(ImageDecoder):
    """For CLEVR, from IODINE: five unpadded 3x3 convolutions with ELU between them."""

    own_channels = 64

    @property
    def grid_size(self) -> int:
        """Each convolution shrinks the grid by two."""
        return self.size + 10

    def render(self, slots: tf.Tensor) -> tf.Tensor:
        """Runs the convolutions."""
        x = self._first(slots, border=0)
        for convolution in self.convolutions[1:]:
            x = convolution(x)
        return x  # [n, H, W, 4]

    def _make_convolutions(self):
        return [*(self._conv(i, self.channels, 3, "elu") for i in range(4)), self._conv(4, OUTPUTS, 3, None)]


@keras.saving.register_keras_serializable(package="emorl")
class BigDecoder(ImageDecoder):
    """For CLEVR, from Slot Attention: transposed convolutions from a 6x6 grid to 96x96 pixels.

    Raises:
        UserError: for any other image size.
    """

    own_channels = 64

    def __init__(
        self,
        size: int,
        z_size: int,
        init_seed: int = 0,
        precision: str = "float32",
        init_gain: float = initializers.GAIN,
        channels: int = 0,
        name="decoder",
        **kwargs,
    ):
        if size != 96:
            raise UserError(
                f"image_decoder 'big' renders 96 x 96 pixels; for {size} x {size} use 'iodine' or 'small'."
            )
        super().__init__(size, z_size, init_seed, precision, init_gain, channels, name, **kwargs)

    @property
    def grid_size(self) -> int:
        """Doubled four times, it gives 96."""
        return 6

    def render(self, slots: tf.Tensor) -> tf.Tensor:
        """Doubles the grid four times, then applies two convolutions of stride one."""
        x = slots[:, None, None, :] + self.position(slots.dtype)  # [n, 6, 6, z]
        for convolution in self.convolutions:
            size = x.shape[1] * convolution.strides[0]
            x = crop_transposed(convolution(x), convolution.kernel_size[0], size)
        return x  # [n, 96, 96, 4]

    def _make_convolutions(self):
        strides = (2, 2, 2, 2, 1)
        hidden = [self._transposed(i, self.channels, 5, stride, "relu") for i, stride in enumerate(strides)]
        return [*hidden, self._transposed(5, OUTPUTS, 3, 1, None)]

    def _transposed(self, i, filters, kernel, stride, activation):
        return keras.layers.Conv2DTranspose(
            filters,
            kernel,
            stride,
            activation=activation,
            name=f"conv_{i}",
            dtype=convolution_dtype(self.precision),
            **self._rule(f"conv_{i}"),
        )


def crop_transposed(x: tf.Tensor, kernel: int, size: int) -> tf.Tensor:
    """Crops the result of an unpadded transposed convolution as PyTorch's `padding=kernel // 2` does.

    Keras' padding 'same' starts one pixel earlier if the stride is two.
    """
    start = kernel // 2
    return x[:, start : start + size, start : start + size]  # [n, size, size, c]


def make_image_decoder(
    name: str,
    size: int,
    z_size: int,
    init_seed: int,
    precision: str = "float32",
    init_gain: float = initializers.GAIN,
    channels: int = 0,
) -> ImageDecoder:
    """Returns the decoder of that name: 'small', 'iodine' or 'big'.

    Raises:
        UserError: for any other name, or a size that the decoder cannot render.
    """
    decoders = {"small": SmallDecoder, "iodine": IodineDecoder, "big": BigDecoder}
    if name not in decoders:
        raise UserError(f"image_decoder must be one of {', '.join(decoders)}, not {name!r}.")
    return decoders[name](size, z_size, init_seed, precision, init_gain, channels)
