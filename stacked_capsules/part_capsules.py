"""Part capsules: a CNN finds the parts of an image, their poses and presences (SCAE, section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from discovery import Seed, UserError, check_precision, convolution_dtype
from stacked_capsules.configuration import ENCODER_TYPES
from stacked_capsules.dense import dense
from stacked_capsules.geometry import geometric_transform
from stacked_capsules.initializers import fan_in_normal
from stacked_capsules.presence_noise import presence_noise


class PartCapsules(NamedTuple):
    """P parts of each image.

    Attributes:
        pose: [B, P, 6], rows (m00, m01, tx, m10, m11, ty) of the map from template to image.
        feature: [B, P, F], special features, any real numbers; None if there are none.
        presence: [B, P], in (0, 1).
        presence_logit: [B, P], its logit, noise included.
        image_embedding: [B, h, w, C], at least 0, the CNN's output.
    """

    pose: tf.Tensor
    feature: tf.Tensor | None
    presence: tf.Tensor
    presence_logit: tf.Tensor
    image_embedding: tf.Tensor


@keras.saving.register_keras_serializable(package="stacked_capsules")
class PartCapsuleEncoder(keras.layers.Layer):
    """Infers parts from images.

    Args:
        n_caps: Number of part capsules P.
        n_caps_dims: Number of parameters of a pose; must be 6.
        n_features: Number of special features F of each part.
        noise_scale: Width of the uniform noise on presence logits.
        similarity_transform: Poses are similarities instead of affine maps.
        encoder_type: "linear" maps the flat embedding to capsules; "conv" maps every position and averages;
            "conv_att" lets each capsule weight the positions by its own attention.
        filters: Channels of the CNN's layers.
        kernel_size: Side of its kernels.
        strides: Strides of its layers.
        eval_noise: Add noise whenever there is a seed, not only in training.
        precision: "float32", or "mixed_bfloat16" for bfloat16 convolutions with float32 weights.
    """

    def __init__(
        self,
        n_caps: int = 16,
        n_caps_dims: int = 6,
        n_features: int = 16,
        noise_scale: float = 4.0,
        similarity_transform: bool = False,
        encoder_type: str = "conv_att",
        filters: Sequence[int] = (128, 128, 128, 128),
        kernel_size: int = 3,
        strides: Sequence[int] = (2, 2, 1, 1),
        eval_noise: bool = False,
        precision: str = "float32",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if encoder_type not in ENCODER_TYPES:
            raise UserError(
                f"encoder_type: {encoder_type!r} is not known, use one of {', '.join(ENCODER_TYPES)}"
            )
        if n_caps_dims != 6:
            raise UserError(f"n_part_caps_dims: {n_caps_dims}, but a pose is made of 6 numbers; use 6")
        if len(filters) != len(strides):
            raise UserError(
                f"part encoder: {len(filters)} layers, but {len(strides)} strides; give one stride per layer"
            )
        self.n_caps = n_caps
        self.n_caps_dims = n_caps_dims
        self.n_features = n_features
        self.noise_scale = noise_scale
        self.similarity_transform = similarity_transform
        self.encoder_type = encoder_type
        self.filters = list(filters)
        self.kernel_size = kernel_size
        self.strides = list(strides)
        self.eval_noise = eval_noise
        self.precision = check_precision(precision)

        self._n_dims = n_caps_dims + n_features + 1
        self.convs = [
            keras.layers.Conv2D(
                n,
                kernel_size,
                s,
                activation="relu",
                kernel_initializer=fan_in_normal(),
                name=f"conv_{i}",
                dtype=convolution_dtype(precision),
            )
            for i, (n, s) in enumerate(zip(self.filters, self.strides, strict=True))
        ]
        self.linear = dense(n_caps * self._n_dims, "linear") if encoder_type == "linear" else None

    def build(self, images_shape):
        """Creates the weights; `images_shape` is [B, H, W, C]."""
        shape = images_shape
        for conv in self.convs:
            if min(shape[1:3]) < self.kernel_size:
                raise UserError(
                    f"part encoder: images of {tuple(images_shape[1:3])} are too small for its layers; "
                    "use smaller cnn_strides or a larger canvas_size"
                )
            conv.build(shape)
            shape = conv.compute_output_shape(shape)
        _, height, width, channels = shape
        if self.encoder_type == "linear":
            self.linear.build((None, height * width * channels))
            return
        n_outputs = self.n_caps * (self._n_dims + (self.encoder_type == "conv_att"))
        self.position_bias = self.add_weight(
            name="position_bias", shape=(height, width, channels), initializer="zeros"
        )
        self.kernel = self.add_weight(name="kernel", shape=(channels, n_outputs), initializer=fan_in_normal())
        self.bias = self.add_weight(name="bias", shape=(n_outputs,), initializer="zeros")

    def call(self, images: tf.Tensor, training: bool = False, seed: Seed | int | None = None) -> PartCapsules:
        """Infers parts.

        SCAE, section 2.2, part capsules, i.e. poses, presences and special features:
            x_1:M, d_1:M, z_1:M = h^enc(y).

        Args:
            images: [B, H, W, C].
            training: Whether to add noise to the presence logits.
            seed: Seed of that noise; None: no noise.
        """
        seed = Seed.of(seed)
        embedding = images
        for conv in self.convs:
            embedding = conv(embedding)  # [B, h, w, C]
        embedding = tf.cast(embedding, images.dtype)
        pool = {"linear": self._linear, "conv": self._average, "conv_att": self._attend}[self.encoder_type]
        capsules = pool(embedding)  # [B, P, 6 + F + 1]

        pose, feature, presence_logit = tf.split(capsules, [self.n_caps_dims, self.n_features, 1], axis=-1)
        presence_logit = presence_logit[..., 0]  # [B, P]
        if seed is not None and (training or self.eval_noise):
            presence_logit += presence_noise("uniform", self.noise_scale, presence_logit, seed)
        return PartCapsules(
            pose=geometric_transform(pose, self.similarity_transform),
            feature=feature if self.n_features else None,
            presence=tf.sigmoid(presence_logit),
            presence_logit=presence_logit,
            image_embedding=embedding,
        )

    def _linear(self, embedding):
        flat = tf.reshape(embedding, [-1, self.linear.kernel.shape[0]])  # [B, h * w * C]
        return tf.reshape(self.linear(flat), [-1, self.n_caps, self._n_dims])

    def _average(self, embedding):
        # averaging before the map gives the same as after it, and is cheaper
        mean = tf.reduce_mean(embedding + self.position_bias, [1, 2])  # [B, C]
        return tf.reshape(tf.matmul(mean, self.kernel) + self.bias, [-1, self.n_caps, self._n_dims])

    def _attend(self, embedding):
        """Weights positions; since attention sums to one, it commutes with the affine map that follows."""
        n_caps, n_dims = self.n_caps, self._n_dims
        n_positions, channels = embedding.shape[1] * embedding.shape[2], embedding.shape[3]
        x = tf.reshape(embedding + self.position_bias, [-1, n_positions, channels])  # [B, L, C]
        values, logits = tf.split(self.kernel, [n_dims * n_caps, n_caps], axis=1)  # [C, D * P], [C, P]
        values_bias, logits_bias = tf.split(self.bias, [n_dims * n_caps, n_caps])

        attn = tf.nn.softmax(tf.einsum("blc,cp->bpl", x, logits) + logits_bias[:, tf.newaxis])  # [B, P, L]
        pooled = tf.matmul(attn, x)  # [B, P, C]
        values = tf.reshape(values, [channels, n_dims, n_caps])  # [C, D, P]
        mapped = tf.einsum("bpc,cdp->bdp", pooled, values)  # [B, D, P]
        mapped += tf.reshape(values_bias, [n_dims, n_caps])
        # reshaped, not transposed, as in the reference: a capsule's numbers come from several attention maps
        return tf.reshape(mapped, [-1, n_caps, n_dims])  # [B, P, D]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "n_caps": self.n_caps,
            "n_caps_dims": self.n_caps_dims,
            "n_features": self.n_features,
            "noise_scale": self.noise_scale,
            "similarity_transform": self.similarity_transform,
            "encoder_type": self.encoder_type,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "eval_noise": self.eval_noise,
            "precision": self.precision,
        }
