"""Set Transformer (Lee et al. 2019), which infers object capsules from parts (SCAE, section 2.3)."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from discovery import Seed, UserError
from stacked_capsules.attention import MultiHeadAttention, attend
from stacked_capsules.configuration import PRESENCE_MASKS
from stacked_capsules.dense import dense
from stacked_capsules.present_points import PresentPoints


@keras.saving.register_keras_serializable(package="stacked_capsules")
class SetTransformer(keras.layers.Layer):
    """Encodes a set of points as `n_outputs` vectors, independent of the order of the points.

    Args:
        n_layers: Number of self-attention blocks.
        n_heads: Number of attention heads, in the blocks and in the read-out.
        n_dims: Width of the blocks.
        n_output_dims: Width of the outputs.
        n_outputs: Number of outputs.
        layer_norm: Normalize after attention and after the MLP of each block.
        dropout_rate: Fraction of values that training zeroes.
        n_inducing_points: If positive, points attend to each other through that many learned points.
        presence_mask: One of `PRESENCE_MASKS`.
        skip_absent: In training, compute points of presence 0 once instead of one by one; the result is the
            same up to rounding. For presences that are not learned. XLA cannot compile it, since its shapes
            are not static.
        n_lanes: In training without dropout, number of slices of the batch that are computed in parallel, if
            it divides the batch: for small operations that are not worth splitting among threads.

    Raises:
        UserError: an option is out of range, or incompatible with another.
    """

    def __init__(
        self,
        n_layers: int = 3,
        n_heads: int = 1,
        n_dims: int = 16,
        n_output_dims: int = 256,
        n_outputs: int = 10,
        layer_norm: bool = False,
        dropout_rate: float = 0.0,
        n_inducing_points: int = 0,
        presence_mask: str = "as_run",
        skip_absent: bool = False,
        n_lanes: int = 1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if presence_mask not in PRESENCE_MASKS:
            raise UserError(
                f"presence_mask: {presence_mask!r} is not known, use {' or '.join(PRESENCE_MASKS)}"
            )
        if not 0.0 <= dropout_rate < 1.0:
            raise UserError(f"dropout_rate: {dropout_rate} is not in [0, 1)")
        if skip_absent and (dropout_rate > 0.0 or n_inducing_points > 0 or n_layers < 1):
            raise UserError("skip_absent: with dropout, inducing points or no layers, absent points matter")
        if n_lanes < 1:
            raise UserError(f"n_lanes: {n_lanes}, but it must be at least 1")
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.n_dims = n_dims
        self.n_output_dims = n_output_dims
        self.n_outputs = n_outputs
        self.layer_norm = layer_norm
        self.dropout_rate = dropout_rate
        self.n_inducing_points = n_inducing_points
        self.presence_mask = presence_mask
        self.skip_absent = skip_absent
        self.n_lanes = n_lanes
        self.supports_jit = not skip_absent  # Keras' jit_compile="auto" reads it

        self.embed = dense(n_dims, "embed")
        self.blocks = [
            SelfAttention(
                n_heads, layer_norm, dropout_rate, n_inducing_points, presence_mask, name=f"block_{i}"
            )
            for i in range(n_layers)
        ]
        self.project = dense(n_output_dims, "project")
        self.read_out = MultiHeadAttention(n_heads, presence_mask, name="read_out")

    def build(self, x_shape, presence_shape=None):
        """Creates the weights; `x_shape` is [B, N, d]."""
        self.embed.build(x_shape)
        hidden = (*x_shape[:-1], self.n_dims)
        for block in self.blocks:
            block.build(hidden)
        self.project.build(hidden)
        self.inducing_points = self.add_weight(
            name="inducing_points",
            shape=(1, self.n_outputs, self.n_output_dims),
            initializer="glorot_uniform",
        )
        points = (*x_shape[:-1], self.n_output_dims)
        self.read_out.build(self.inducing_points.shape, points, points)

    def call(
        self,
        x: tf.Tensor,
        presence: tf.Tensor | None = None,
        training: bool = False,
        seed: Seed | None = None,
    ) -> tf.Tensor:
        """Encodes the points.

        SCAE, section 2.3, object encoder, a Set Transformer: c_1:K = h^caps(x_1:M, d_1:M, z_1:M, T_1:M).

        Args:
            x: [B, N, d], the points.
            presence: [B, N] in [0, 1], of each point; None: all are present.
            training: Whether to apply dropout.
            seed: Seed of dropout; None: nothing is dropped.

        Returns:
            [B, n_outputs, n_output_dims].
        """
        drop = seed is not None and self.dropout_rate > 0.0
        divides = x.shape[0] is not None and x.shape[0] % self.n_lanes == 0
        if not training or drop or not divides:
            return self._encode(x, presence, training, Seed.of(seed))
        presences = [None] * self.n_lanes if presence is None else tf.split(presence, self.n_lanes)
        lanes = zip(tf.split(x, self.n_lanes), presences, strict=True)
        return tf.concat([self._encode(x, presence, True, None) for x, presence in lanes], 0)

    def _encode(self, x, presence, training, seed):
        rows = None
        if training and self.skip_absent and presence is not None:
            rows = PresentPoints.of(presence)
            x = rows.pack(x)  # [R, d]
        h = self.embed(x)  # [B, N, n_dims], or [R, n_dims]
        for i, block in enumerate(self.blocks):
            h = block(h, presence, training=training, seed=None if seed is None else seed.fold(i), rows=rows)
        h = h if rows is None else rows.unpack(h)  # [B, N, n_dims]
        if self.n_heads == 1 and self.n_dims < self.n_output_dims:
            return self._read_before_projecting(h, presence)
        z = self.project(h)  # [B, N, n_output_dims]
        return self.read_out(self.inducing_points, z, z, presence)  # [B, n_outputs, n_output_dims]

    def _read_before_projecting(self, h, presence):
        """The same for one head, in fewer operations: affine maps of points commute with their means."""
        project, key, value, combine = (
            _as_matrix(layer)  # [d + 1, d']
            for layer in (self.project, self.read_out.key, self.read_out.value, self.read_out.combine)
        )
        points = tf.concat([h, tf.ones_like(h[..., :1])], -1)  # [B, N, n_dims + 1]
        queries = self.read_out.query(self.inducing_points)  # [1, n_outputs, n_output_dims]
        scale = 1.0 / math.sqrt(queries.shape[-1])
        queries = tf.tensordot(queries, _then(project, key), [[2], [1]])  # [1, n_outputs, n_dims + 1]
        read = attend(
            queries, points, points, presence, self.presence_mask, scale
        )  # [B, n_outputs, n_dims + 1]
        return tf.tensordot(read, _then(_then(project, value), combine), 1)  # [B, n_outputs, n_output_dims]

    def compute_output_shape(self, x_shape, presence_shape=None):
        """[B, N, d] -> [B, n_outputs, n_output_dims]."""
        return (x_shape[0], self.n_outputs, self.n_output_dims)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "n_layers": self.n_layers,
            "n_heads": self.n_heads,
            "n_dims": self.n_dims,
            "n_output_dims": self.n_output_dims,
            "n_outputs": self.n_outputs,
            "layer_norm": self.layer_norm,
            "dropout_rate": self.dropout_rate,
            "n_inducing_points": self.n_inducing_points,
            "presence_mask": self.presence_mask,
            "skip_absent": self.skip_absent,
            "n_lanes": self.n_lanes,
        }


@keras.saving.register_keras_serializable(package="stacked_capsules")
class SelfAttention(keras.layers.Layer):
    """An encoder block: points attend to each other, then each passes through an MLP; both with a residual.

    Args:
        n_heads: Number of attention heads.
        layer_norm: Normalize after each half.
        dropout_rate: Fraction of values that training zeroes, in the MLP's output and in the residual around
            attention (as in the reference, not in the attention's output).
        n_inducing_points: If positive, points attend to that many learned points, which attend to them. Both
            use the same projections and ignore presence, as in the reference.
        presence_mask: One of `PRESENCE_MASKS`.
    """

    def __init__(
        self,
        n_heads: int = 1,
        layer_norm: bool = False,
        dropout_rate: float = 0.0,
        n_inducing_points: int = 0,
        presence_mask: str = "as_run",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.n_heads = n_heads
        self.layer_norm = layer_norm
        self.dropout_rate = dropout_rate
        self.n_inducing_points = n_inducing_points
        self.presence_mask = presence_mask
        self.attention = MultiHeadAttention(n_heads, presence_mask, name="attention")

    def build(self, x_shape, presence_shape=None):
        """Creates the weights; `x_shape` is [B, N, d]."""
        d = x_shape[-1]
        self.attention.build(x_shape, x_shape, x_shape)
        if self.n_inducing_points > 0:
            self.inducing_points = self.add_weight(
                name="inducing_points", shape=(1, self.n_inducing_points, d), initializer="glorot_uniform"
            )
        self.mlp_hidden = dense(2 * d, "mlp_hidden", activation="relu")
        self.mlp_hidden.build(x_shape)
        self.mlp_output = dense(d, "mlp_output")
        self.mlp_output.build((*x_shape[:-1], 2 * d))
        if self.layer_norm:
            self.norm_attention = keras.layers.LayerNormalization(epsilon=1e-5, name="norm_attention")
            self.norm_mlp = keras.layers.LayerNormalization(epsilon=1e-5, name="norm_mlp")
            self.norm_attention.build(x_shape)
            self.norm_mlp.build(x_shape)

    def call(
        self,
        x: tf.Tensor,
        presence: tf.Tensor | None = None,
        training: bool = False,
        seed: Seed | None = None,
        rows: PresentPoints | None = None,
    ) -> tf.Tensor:
        """Updates the points.

        Args:
            x: [B, N, d], the points.
            presence: [B, N] in [0, 1]; None: all are present.
            training: Whether to apply dropout.
            seed: Seed of dropout; None: nothing is dropped.
            rows: If given, x and the result are the present points, [R, d].

        Returns:
            [B, N, d], or [R, d].
        """
        drop = training and seed is not None and self.dropout_rate > 0.0
        if self.n_inducing_points > 0:
            z = self.attention(self.inducing_points, x, x)  # [B, n_inducing_points, d]
            y = self.attention(x, z, z)  # [B, N, d]
        else:
            y = self.attention(x, x, x, presence, rows=rows)  # [B, N, d], or [R, d]
        y += dropout(x, self.dropout_rate, seed.fold(0)) if drop else x
        if presence is not None:
            y *= presence[:, :, tf.newaxis] if rows is None else rows.presence
        if self.layer_norm:
            y = self.norm_attention(y)

        h = self.mlp_output(self.mlp_hidden(y))  # [B, N, d]
        h = y + (dropout(h, self.dropout_rate, seed.fold(1)) if drop else h)
        return self.norm_mlp(h) if self.layer_norm else h

    def compute_output_shape(self, x_shape, presence_shape=None):
        """[B, N, d] -> [B, N, d]."""
        return x_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "n_heads": self.n_heads,
            "layer_norm": self.layer_norm,
            "dropout_rate": self.dropout_rate,
            "n_inducing_points": self.n_inducing_points,
            "presence_mask": self.presence_mask,
        }


def dropout(x: tf.Tensor, rate: float, seed: Seed) -> tf.Tensor:
    """Zeroes a fraction `rate` of the values and scales up the rest to keep the mean."""
    keep = seed.uniform([tf.shape(x)[0], *x.shape[1:]]) >= rate  # like x
    return tf.where(keep, x / (1.0 - rate), tf.zeros_like(x))


def _as_matrix(layer):
    """Returns an affine map as a matrix [d + 1, d'] that acts on vectors with a one appended."""
    return tf.concat([layer.kernel, tf.convert_to_tensor(layer.bias)[tf.newaxis]], 0)


def _then(first, second):
    """Returns the map that applies one after the other: [a + 1, b], [b + 1, c] -> [a + 1, c]."""
    constant = tf.pad(second[-1:], [[first.shape[0] - 1, 0], [0, 0]])  # [a + 1, c]
    return tf.matmul(first, second[:-1]) + constant
