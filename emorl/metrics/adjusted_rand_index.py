"""The adjusted Rand index: how well two groupings of pixels agree, corrected for chance."""

from __future__ import annotations

import tensorflow as tf

from emorl.metrics.segmentation import overlaps, predicted_segmentation, true_segmentation


def adjusted_rand_index(
    true_mask: tf.Tensor, pred_mask: tf.Tensor, foreground_only: bool = True, as_run: bool = False
) -> tf.Tensor:
    """Scores predicted masks (Hubert and Arabie 1985; Rand 1971).

    Args:
        true_mask: Ground truth in any encoding of `true_segmentation`; entity 0 is the background.
        pred_mask: Predictions in any encoding of `predicted_segmentation`, of the same height and width.
        foreground_only: Whether background pixels are left out, as in the published scores.
        as_run: If the index is 0/0, which means that both groupings are the same trivial one, scikit-learn
            scores 1; True scores 0 as the original program does, except for a single group in both (1).

    Returns:
        float32 [B], 1 for equal groupings, about 0 for chance; may be negative.
    """
    n_ij = overlaps(true_segmentation(true_mask), predicted_segmentation(pred_mask))  # [B, E, K]
    if foreground_only:
        n_ij = tf.concat([tf.zeros_like(n_ij[:, :1]), n_ij[:, 1:]], axis=1)
    both = tf.reduce_sum(_pairs(n_ij), axis=[1, 2])  # [B]: pairs of pixels together in both
    true = tf.reduce_sum(_pairs(tf.reduce_sum(n_ij, axis=2)), axis=1)  # [B]: together in the ground truth
    predicted = tf.reduce_sum(_pairs(tf.reduce_sum(n_ij, axis=1)), axis=1)  # [B]: together in the prediction
    all_pairs = _pairs(tf.reduce_sum(n_ij, axis=[1, 2]))  # [B]
    chance = true * tf.math.divide_no_nan(predicted, all_pairs)
    span = (true + predicted) / 2 - chance
    undefined = tf.ones_like(span)
    if as_run:
        one_group = tf.math.count_nonzero(n_ij, axis=[1, 2]) == 1
        undefined = tf.cast(one_group, span.dtype)
    index = tf.where(span == 0, undefined, tf.math.divide_no_nan(both - chance, span))
    return tf.cast(index, tf.float32)


def _pairs(count):
    return count * (count - 1)
