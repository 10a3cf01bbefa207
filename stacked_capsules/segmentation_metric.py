"""How many points of a constellation are grouped like its patterns, computed in the compiled step."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from discovery import UserError


def correctly_grouped(
    capsules: tf.Tensor,
    patterns: tf.Tensor,
    presence: tf.Tensor,
    n_capsules: int,
    n_patterns: int | None = None,
) -> tf.Tensor:
    """Counts the present points whose capsule is matched to their pattern.

    In each example, patterns and capsules are matched one to one so as to maximize the count.

    Args:
        capsules: int [B, N], in [0, n_capsules), the capsule that explains each point.
        patterns: int [B, N], the pattern of each point, present or absent; any ids.
        presence: [B, N], 0 or 1.
        n_capsules: Number of capsules.
        n_patterns: Maximum number of patterns in an example; None: the number of points.

    Returns:
        float32 [B].

    Raises:
        UserError: There are too many capsules and patterns to match in the step.
    """
    same = patterns[:, :, tf.newaxis] == patterns[:, tf.newaxis]  # [B, N, N]
    first = tf.argmax(same, 2, output_type=tf.int32)  # [B, N], index of the first point of the same pattern
    n_points = patterns.shape[1]
    is_first = tf.cast(first == tf.range(n_points), tf.int32)  # [B, N]
    rank = tf.cumsum(is_first, 1) - 1  # [B, N], at first points: how many patterns came before
    pattern = tf.one_hot(tf.gather(rank, first, batch_dims=1), n_patterns or n_points)  # [B, N, P]
    capsule = tf.one_hot(capsules, n_capsules) * presence[..., tf.newaxis]  # [B, N, O]
    return best_matching(tf.matmul(pattern, capsule, transpose_a=True))


def best_matching(gain: tf.Tensor) -> tf.Tensor:
    """Largest sum of non-negative gains over one-to-one pairs of rows and columns: [B, R, C] -> [B].

    Goes through the rows and keeps, for every set of columns, the best sum of the rows so far.

    Raises:
        UserError: The smaller side is too large for that.
    """
    if gain.shape[1] < gain.shape[2]:
        gain = tf.transpose(gain, [0, 2, 1])  # [B, R, C] with C <= R
    n_rows, n_cols = gain.shape[1:]
    if n_cols > 12:
        raise UserError(
            f"segmentation accuracy: {n_rows} and {n_cols} groups are too many to match within the step; "
            "leave pattern_id out of the batch, or give pattern_presence to limit the number of patterns"
        )
    sets = np.arange(2**n_cols)[:, np.newaxis]  # [S, 1], a bit for each column
    member = (sets >> np.arange(n_cols)) & 1  # [S, C]
    without = sets - (member << np.arange(n_cols))  # [S, C], the set without that column, if it contains it
    best = tf.zeros_like(gain[:, 0, :1]) + tf.zeros([2**n_cols])  # [B, S]
    for row in range(n_rows):
        paired = gain[:, row, tf.newaxis] * tf.constant(member, gain.dtype)  # [B, S, C]
        paired += tf.gather(best, without, axis=1)  # [B, S, C]
        best = tf.maximum(best, tf.reduce_max(paired, -1))  # [B, S]
    return best[:, -1]
