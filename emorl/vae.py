"""A plain variational autoencoder with one latent per image: the baseline that has no slots.

Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014; encoder and decoder as in Watters et al.,
"Spatial Broadcast Decoder", 2019.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from discovery import (
    Batch,
    BatchSum,
    Metrics,
    Seed,
    UserError,
    convolution_dtype,
    one_replica,
)
from emorl import initializers
from emorl.configuration import VAEConfig
from emorl.diagonal_gaussian import DiagonalGaussian, kl_divergence
from emorl.image_decoders import Decoding, make_image_decoder
from emorl.inference_noise import SharedNoise
from emorl.likelihoods import gaussian_nll
from emorl.scene_model import SceneModel

CONVOLUTIONS, CHANNELS, KERNEL, STRIDE = 4, 64, 4, 2
HIDDEN = 256


class VAEOutputs(NamedTuple):
    """What the autoencoder infers.

    Attributes:
        slots: float32 [B, 1, z], a sample of the posterior.
        posterior: q(z | x), each field [B, 1, z].
        decoding: what the sample looks like; its one mask is 1 everywhere.
        nll: float32 [B], negative log-likelihood without its constant; can be negative.
        kl: float32 [B], KL(q(z | x) || N(0, 1)).
    """

    slots: tf.Tensor
    posterior: DiagonalGaussian
    decoding: Decoding
    nll: tf.Tensor
    kl: tf.Tensor


@keras.saving.register_keras_serializable(package="emorl")
class VAE(SceneModel):
    """Encodes images, float32 [B, H, W, 3] in [0, 1], in one latent each, and reconstructs them from it.

    In training, noise comes from the caller's seed; at inference it is the same for every image.

    Args:
        config: the options.
        init_seed: seed of the initial weights.
        inference_seed: seed of the samples at inference where the caller gives none.
        **kwargs: Keras' model arguments.

    Raises:
        UserError: for an unknown decoder or a size that it cannot render.
    """

    config_class = VAEConfig

    def __init__(self, config: VAEConfig, init_seed: int = 0, inference_seed: int = 0, **kwargs):
        super().__init__(config, init_seed, inference_seed, **kwargs)
        self.convolutions = [
            keras.layers.Conv2D(
                CHANNELS,
                KERNEL,
                STRIDE,
                padding="same",
                activation="relu",
                name=f"conv_{i}",
                dtype=convolution_dtype(config.precision),
                **self._rule(f"conv_{i}", KERNEL**2 * (CHANNELS if i else 3)),
            )
            for i in range(CONVOLUTIONS)
        ]
        self.side = math.ceil(config.size / STRIDE**CONVOLUTIONS)
        self.n_features = CHANNELS * self.side**2
        self.hidden = keras.layers.Dense(
            HIDDEN, "relu", name="hidden", **self._rule("hidden", self.n_features)
        )
        self.to_posterior = keras.layers.Dense(
            2 * config.z_size, name="to_posterior", **self._rule("to_posterior", HIDDEN)
        )
        how = (init_seed, config.precision, config.init_gain, config.decoder_channels)
        self.decoder = make_image_decoder(config.image_decoder, config.size, config.z_size, *how)

    def build(self, input_shape=None):
        """Creates all weights; their shapes follow from the options."""
        del input_shape
        channels = 3
        for convolution in self.convolutions:
            convolution.build((None, None, None, channels))
            channels = CHANNELS
        self.hidden.build((None, self.n_features))
        self.to_posterior.build((None, HIDDEN))
        self.decoder.build((None, 1, self.config.z_size))

    def call(
        self, images: tf.Tensor, training: bool = False, seed: Seed | tf.Tensor | int | None = None
    ) -> VAEOutputs:
        """Infers the posterior, samples it once and decodes the sample.

        Args:
            images: [B, H, W, 3], floats in [0, 1], or uint8.
            training: whether noise differs between images.
            seed: of the noise; training needs one.

        Returns:
            The posterior, its sample, what that looks like, and both terms of the loss.

        Raises:
            UserError: for images of another shape or type, and for training without a seed.
        """
        if training and seed is None:
            raise UserError("VAE samples its posterior: training=True needs a seed.")
        noise = Seed.of(seed) if training else SharedNoise.of(self.inference_seed if seed is None else seed)
        x = 2.0 * images - 1.0
        for convolution in self.convolutions:
            x = convolution(x)  # [B, H / 2, W / 2, 64], then half as large each time
        x = tf.reshape(tf.cast(x, images.dtype), [-1, self.n_features])  # [B, side * side * 64]
        parameters = self.to_posterior(self.hidden(x))[:, None]  # [B, 1, 2z]
        posterior = DiagonalGaussian.of_parameters(parameters)  # [B, 1, z] each
        batch = images.shape[0] or tf.shape(images)[0]
        draw = noise.fold(0).normal([batch, 1, self.config.z_size])  # [B, 1, z]
        slots = posterior.sample(tf.cast(draw, images.dtype))  # [B, 1, z]
        decoding = self.decoder(slots)
        nll = gaussian_nll(images, decoding.means, decoding.mask_log_probs, self.config.log_scale)  # [B]
        kl = kl_divergence(posterior, DiagonalGaussian.standard_like(posterior))[:, 0]  # [B]
        return VAEOutputs(slots, posterior, decoding, nll, kl)

    def losses(
        self, batch: Batch, outputs: VAEOutputs, batch_sum: BatchSum = one_replica
    ) -> tuple[tf.Tensor, Metrics]:
        """The mean over images of the negative ELBO, `loss`, and of its terms, `nll` and `kl`.

        Kingma and Welling, Eq. 3, negative ELBO: L = KL(q(z | x) || p(z)) - E_q[log p(x | z)].
        """
        del batch
        rows = tf.stack([outputs.nll, outputs.kl, tf.ones_like(outputs.nll)])  # [3, B]
        sums = batch_sum(tf.reduce_sum(rows, axis=1))  # [3]
        nll, kl = sums[0] / sums[2], sums[1] / sums[2]
        loss = kl + nll
        return loss, {"loss": loss, "nll": nll, "kl": kl}

    def _rule(self, name, fan_in):
        return initializers.torch_uniform(self.init_seed, f"vae/{name}", fan_in)
