"""Multi-head attention between sets of vectors, some of which may be absent."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from stacked_capsules.dense import dense
from stacked_capsules.present_points import PresentPoints
from stacked_capsules.safe_math import safe_log


@keras.saving.register_keras_serializable(package="stacked_capsules")
class MultiHeadAttention(keras.layers.Layer):
    """Multi-head attention; one matrix holds a projection's heads side by side.

    Args:
        n_heads: Number of heads; each projects d channels to ceil(d / n_heads).
        presence_mask: One of `PRESENCE_MASKS`.
    """

    def __init__(self, n_heads: int = 1, presence_mask: str = "as_run", **kwargs):
        super().__init__(**kwargs)
        self.n_heads = n_heads
        self.presence_mask = presence_mask

    def build(self, queries_shape, keys_shape, values_shape, presence_shape=None):
        """Creates the weights; the shapes are [B or 1, N, d], [B, M, d] and [B, M, d_v]."""
        self.query, self.key, self.value = (
            dense(self.n_heads * math.ceil(shape[-1] / self.n_heads), name)
            for name, shape in (("query", queries_shape), ("key", keys_shape), ("value", values_shape))
        )
        self.query.build(queries_shape)
        self.key.build(keys_shape)
        self.value.build(values_shape)
        self.combine = dense(values_shape[-1], "combine")
        self.combine.build((*queries_shape[:-1], self.value.units))

    def call(
        self,
        queries: tf.Tensor,
        keys: tf.Tensor,
        values: tf.Tensor,
        presence: tf.Tensor | None = None,
        rows: PresentPoints | None = None,
    ) -> tf.Tensor:
        """Reads the values whose keys match the queries.

        Args:
            queries: [B, N, d], or [1, N, d] for the same queries in every example.
            keys: [B, M, d].
            values: [B, M, d_v].
            presence: [B, M] in [0, 1], of keys and values.
            rows: If given, queries, keys and values are the same points, [R, d].

        Returns:
            [B, N, d_v], or [R, d_v].
        """
        if queries is keys and keys is values:
            q, k, v = self._project_together(queries, rows)  # [B, heads, N, d / heads] each
        else:
            q, k, v = (
                self._split_heads(project(x), self.n_heads)  # [B, heads, N or M, d or d_v / heads]
                for project, x in ((self.query, queries), (self.key, keys), (self.value, values))
            )
        if presence is not None:
            presence = presence[:, tf.newaxis]  # [B, 1, M]
        read = attend(q, k, v, presence, self.presence_mask)  # [B, heads, N, d_v / heads]
        read = tf.transpose(read, [0, 2, 1, 3])  # [B, N, heads, d_v / heads]
        read = tf.reshape(read, [-1, read.shape[1], self.value.units])  # [B, N, d_v]
        return self.combine(read if rows is None else rows.pack(read))

    def _project_together(self, x, rows):
        """Projects the same points to queries, keys and values in one matrix product."""
        projections = (self.query, self.key, self.value)
        kernel = tf.concat([projection.kernel for projection in projections], 1)  # [d, 3 * units]
        bias = tf.concat([projection.bias for projection in projections], 0)  # [3 * units]
        y = tf.tensordot(x, kernel, 1) + bias  # [B, N, 3 * units], or [R, 3 * units]
        y = y if rows is None else rows.unpack(y)  # [B, N, 3 * units]
        y = tf.reshape(y, [-1, y.shape[1], 3, self.n_heads, self.query.units // self.n_heads])
        return tf.unstack(tf.transpose(y, [2, 0, 3, 1, 4]))  # of [3, B, heads, N, d / heads]

    @staticmethod
    def _split_heads(x, n_heads):
        x = tf.reshape(x, [-1, x.shape[1], n_heads, x.shape[2] // n_heads])  # [B, N, heads, d]
        return tf.transpose(x, [0, 2, 1, 3])  # [B, heads, N, d]

    def compute_output_shape(self, queries_shape, keys_shape, values_shape, presence_shape=None):
        """Returns [B, N, d_v]."""
        return (values_shape[0], queries_shape[1], values_shape[2])

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "n_heads": self.n_heads, "presence_mask": self.presence_mask}


def attend(
    queries: tf.Tensor,
    keys: tf.Tensor,
    values: tf.Tensor,
    presence: tf.Tensor | None = None,
    presence_mask: str = "as_run",
    scale: float | None = None,
) -> tf.Tensor:
    """Averages values with weights softmax(scale q.k).

    SCAE, section 2.3, attention, biased by part presences: softmax(Q K^T / sqrt(d) + bias(d_1:M)) V.

    Args:
        queries: [..., N, d].
        keys: [..., M, d].
        values: [..., M, d_v].
        presence: [..., M] in [0, 1]. If none is present, all values are weighted equally.
        presence_mask: "as_run" masks all but the most present keys, as the reference does: correct for 0
            and 1, but in between, a one-hot choice that ignores queries and keys. "log" multiplies the
            weights by the presences.
        scale: By default 1 / sqrt(d).

    Returns:
        [..., N, d_v].
    """
    scale = scale or 1.0 / math.sqrt(queries.shape[-1])
    routing = scale * tf.matmul(queries, keys, transpose_b=True)  # [..., N, M]
    if presence is not None and presence_mask == "as_run":
        # Scaled beforehand: XLA rounds (a - 1e32) * b differently in a row's maximum; NaN if none is present.
        routing -= (1.0 - presence[..., tf.newaxis, :]) * (1e32 * scale)
    if presence is not None and presence_mask == "log":
        routing += safe_log(presence)[..., tf.newaxis, :]
    return tf.matmul(_softmax(routing), values)  # [..., N, d_v]


def _softmax(x):
    """Like tf.nn.softmax, but exactly 1 for a single choice: 1e32 times a rounding error is no gradient."""
    e = tf.exp(x - tf.stop_gradient(tf.reduce_max(x, -1, keepdims=True)))  # [..., M]
    return e / tf.reduce_sum(e, -1, keepdims=True)  # [..., M]
