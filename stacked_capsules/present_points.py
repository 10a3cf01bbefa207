"""The points that are present, as the rows of one matrix: work on absent ones changes nothing."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

#: Numbers of rows are rounded up to multiples of it, so that few shapes occur, for which kernels are kept.
_MULTIPLE = 16


class PresentPoints(NamedTuple):
    """Where the points of [B, N, d] stand in a matrix of R rows.

    The P present ones come first; one row more stands for all that are absent, and others fill up.

    Attributes:
        slot_of_row: int64 [R], in [0, B * N); 0 for rows behind the present points.
        row_of_slot: int64 [B, N], in [0, P]; P, which is no point's own, where a point is absent.
        presence: [R, 1], in [0, 1]; 0 for rows behind the present points.
    """

    slot_of_row: tf.Tensor
    row_of_slot: tf.Tensor
    presence: tf.Tensor

    @classmethod
    def of(cls, presence: tf.Tensor) -> PresentPoints:
        """Finds them: presence [B, N] in [0, 1]. R depends on the values: XLA cannot compile this."""
        flat = tf.reshape(presence, [-1])  # [B * N]
        present = flat > 0.0
        slots = tf.where(present)[:, 0]  # [P]
        n_present = tf.shape(slots, tf.int64)[0]
        n_fill = _MULTIPLE - n_present % _MULTIPLE  # at least one
        rows = tf.cumsum(tf.cast(present, tf.int64), exclusive=True)  # [B * N]
        return cls(
            slot_of_row=tf.pad(slots, [[0, n_fill]]),
            row_of_slot=tf.reshape(tf.where(present, rows, n_present), tf.shape(presence)),
            presence=tf.pad(tf.gather(flat, slots), [[0, n_fill]])[:, tf.newaxis],
        )

    def pack(self, points: tf.Tensor) -> tf.Tensor:
        """[B, N, d] -> [R, d]; rows behind the present points are those of the first point."""
        return tf.gather(tf.reshape(points, [-1, points.shape[-1]]), self.slot_of_row)

    def unpack(self, rows: tf.Tensor) -> tf.Tensor:
        """[R, d] -> [B, N, d]; all absent points are the same row."""
        return tf.gather(rows, self.row_of_slot)
