"""The present points, as the rows of one matrix, so that nothing is computed for absent ones."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

#: Numbers of rows are rounded up to multiples of this, so that few shapes occur, whose kernels are cached.
_MULTIPLE = 16


class PresentPoints(NamedTuple):
    """Maps points [B, N, d] to a matrix of R rows: P present points, then rows of presence 0.

    One of the latter represents every absent point. This suffices for blocks that multiply what they read by
    the presence: after the first block all absent points are equal, and before it none is read, except in an
    example that has no other, where what was read is discarded.

    Attributes:
        slots: int64 [P], in [0, B * N), indices of the present points in [B * N].
        row_of_slot: int64 [B, N], in [0, P]; P where a point is absent.
        presence: [R, 1], in [0, 1]; 0 after the present points.
    """

    slots: tf.Tensor
    row_of_slot: tf.Tensor
    presence: tf.Tensor

    @classmethod
    def of(cls, presence: tf.Tensor) -> PresentPoints:
        """Maps by presence [B, N] in [0, 1]. P and R depend on the values, so XLA cannot compile this."""
        flat = tf.reshape(presence, [-1])  # [B * N]
        present = flat > 0.0
        slots = tf.where(present)[:, 0]  # [P]
        n_present = tf.shape(slots, tf.int64)[0]
        n_fill = _MULTIPLE - n_present % _MULTIPLE  # at least one
        rows = tf.cumsum(tf.cast(present, tf.int64), exclusive=True)  # [B * N]
        return cls(
            slots=slots,
            row_of_slot=tf.reshape(tf.where(present, rows, n_present), tf.shape(presence)),
            presence=tf.pad(tf.gather(flat, slots), [[0, n_fill]])[:, tf.newaxis],
        )

    def pack(self, points: tf.Tensor) -> tf.Tensor:
        """[B, N, d] -> [R, d]; zeros after the present points."""
        rows = tf.gather(tf.reshape(points, [-1, points.shape[-1]]), self.slots)  # [P, d]
        return tf.pad(rows, [[0, tf.shape(self.presence)[0] - tf.shape(rows)[0]], [0, 0]])

    def unpack(self, rows: tf.Tensor) -> tf.Tensor:
        """[R, d] -> [B, N, d]; all absent points get the same row."""
        return tf.gather(rows, self.row_of_slot)
