"""The Slot Attention baseline (Locatello et al., NeurIPS 2020), as EfficientMORL's authors run it."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from discovery import Batch, BatchSum, Metrics, Seed, UserError, one_replica
from emorl import initializers
from emorl.attention import slot_attention
from emorl.configuration import SlotAttentionConfig
from emorl.diagonal_gaussian import DiagonalGaussian
from emorl.dual_gru import GRUCell
from emorl.image_decoders import Decoding, make_image_decoder
from emorl.image_encoder import ImageEncoder
from emorl.inference_noise import SharedNoise
from emorl.scene_model import SceneModel
from emorl.slot_inference import standard_posterior

ITERATIONS = 3
HIDDEN = 128


class SlotAttentionOutputs(NamedTuple):
    """Slot Attention's outputs.

    Attributes:
        slots: float32 [B, K, z].
        decoding: of the slots.
        attentions: one per iteration, float32 [B, K, H, W], softmax over slots + 1e-8.
        squared_error: float32 [B], of the reconstruction, summed over pixels and channels.
    """

    slots: tf.Tensor
    decoding: Decoding
    attentions: tuple[tf.Tensor, ...]
    squared_error: tf.Tensor


@keras.saving.register_keras_serializable(package="emorl")
class SlotAttention(SceneModel):
    """Finds K slots in images, float32 [B, H, W, 3] in [0, 1], and reconstructs the images from them.

    Initial slots are samples: in training from the caller's seed, at inference the same for every image.

    Args:
        config: the options.
        init_seed: seed of the initial weights.
        inference_seed: seed of the samples at inference if the caller gives none.
        **kwargs: Keras' model arguments.

    Raises:
        UserError: for an unknown decoder or a size that it cannot render.
    """

    config_class = SlotAttentionConfig

    def __init__(self, config: SlotAttentionConfig, init_seed: int = 0, inference_seed: int = 0, **kwargs):
        super().__init__(config, init_seed, inference_seed, **kwargs)
        z, channels = config.z_size, config.encoder_channels
        self.encoder = ImageEncoder(config.size, "torch", init_seed, config.precision, channels=channels)
        self.norm_slots = keras.layers.LayerNormalization(epsilon=1e-5, name="norm_slots")
        self.norm_mlp = keras.layers.LayerNormalization(epsilon=1e-5, name="norm_mlp")
        self.to_q = self._dense("to_q", z, z, use_bias=False)
        self.to_k = self._dense("to_k", channels, z, use_bias=False)
        self.to_v = self._dense("to_v", channels, z, use_bias=False)
        self.gru = GRUCell(z, "uniform", init_seed, name="gru")
        self.mlp = [self._dense("mlp_0", z, HIDDEN, "relu"), self._dense("mlp_1", HIDDEN, z)]
        how = (init_seed, config.precision, config.init_gain, config.decoder_channels)
        self.decoder = make_image_decoder(config.image_decoder, config.size, z, *how)

    def build(self, input_shape=None):
        """Creates all weights; their shapes follow from the options."""
        del input_shape
        size, z = self.config.size, self.config.z_size
        self.initial_slots = self.add_weight(
            name="initial_slots", shape=(1, 2 * z), initializer=standard_posterior
        )
        self.encoder.build((None, size, size, 3))
        slots = (None, self.config.K, z)
        for layer in (self.norm_slots, self.norm_mlp, self.to_q, self.gru, self.mlp[0], self.decoder):
            layer.build(slots)
        self.mlp[1].build((None, self.config.K, HIDDEN))
        features = (None, size * size, self.config.encoder_channels)
        self.to_k.build(features)
        self.to_v.build(features)

    def call(
        self, images: tf.Tensor, training: bool = False, seed: Seed | tf.Tensor | int | None = None
    ) -> SlotAttentionOutputs:
        """Finds slots and decodes them.

        Slot Attention, algorithm 1, one iteration:
            slots <- GRU(updates, slots), then slots <- slots + MLP(LN(slots)).

        Args:
            images: [B, H, W, 3], floats in [0, 1], or uint8.
            training: whether noise differs between images.
            seed: of the noise; training needs one.

        Returns:
            Slots, their decoding, attention and the reconstruction's error.

        Raises:
            UserError: for images of another shape or type, and for training without a seed.
        """
        if training and seed is None:
            raise UserError("SlotAttention samples its initial slots: training=True needs a seed.")
        noise = Seed.of(seed) if training else SharedNoise.of(self.inference_seed if seed is None else seed)
        batch = images.shape[0] or tf.shape(images)[0]
        draw = noise.fold(0).normal([batch, self.config.K, self.config.z_size])  # [B, K, z]
        draw = tf.cast(draw, images.dtype)
        slots = DiagonalGaussian.of_parameters(tf.convert_to_tensor(self.initial_slots)).sample(draw)
        features = self.encoder(2.0 * images - 1.0)  # [B, H * W, C]
        keys, values = self.to_k(features), self.to_v(features)  # [B, H * W, z]
        attentions = []
        for _ in range(ITERATIONS):
            queries = self.to_q(self.norm_slots(slots)) * self.config.z_size**-0.5  # [B, K, z]
            updates, attention = slot_attention(queries, keys, values)  # [B, K, z], [B, H * W, K]
            slots = self.gru(updates, slots)  # [B, K, z]
            slots = slots + self.mlp[1](self.mlp[0](self.norm_mlp(slots)))
            attentions.append(self._image(attention))
        decoding = self.decoder(slots)
        squared_error = tf.reduce_sum(tf.square(images - decoding.reconstruction), axis=[1, 2, 3])  # [B]
        return SlotAttentionOutputs(slots, decoding, tuple(attentions), squared_error)

    def losses(
        self, batch: Batch, outputs: SlotAttentionOutputs, batch_sum: BatchSum = one_replica
    ) -> tuple[tf.Tensor, Metrics]:
        """Returns the mean over images of the summed squared error, `loss`, and that per color value, `mse`.

        Slot Attention, section 2, loss, squared error of the reconstruction: L = sum (x - x')^2.
        """
        del batch
        error = outputs.squared_error
        sums = batch_sum(tf.stack([tf.reduce_sum(error), tf.cast(tf.shape(error)[0], error.dtype)]))  # [2]
        loss = sums[0] / sums[1]
        return loss, {"loss": loss, "mse": loss / (3 * self.config.size**2)}

    def _image(self, attention):
        image = tf.reshape(attention, [-1, self.config.size, self.config.size, self.config.K])
        return tf.transpose(image, [0, 3, 1, 2])  # [B, K, H, W]

    def _dense(self, name, fan_in, units, activation=None, use_bias=True):
        rule = initializers.torch_uniform(self.init_seed, f"slot_attention/{name}", fan_in)
        return keras.layers.Dense(units, activation, use_bias=use_bias, name=name, **rule)
