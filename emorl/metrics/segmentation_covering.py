"""Segmentation covering: how well the best slot of each object covers it, whatever else it covers."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from emorl.metrics.iou import iou_matrix
from emorl.metrics.segmentation import true_segmentation


def segmentation_covering(true_mask: tf.Tensor, pred_mask: tf.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean over visible objects r of max_k IoU(r, slot k), with and without area weights.

    SC = sum_r |r| max_k IoU(r, k) / sum_r |r| and mSC = mean_r max_k IoU(r, k), over foreground objects
    (Arbelaez et al., IEEE PAMI 2011; Engelcke et al., GENESIS, ICLR 2020). Unlike in `mean_iou`, several
    objects may be covered by the same slot.

    Args:
        true_mask: In any encoding of `true_segmentation`; 0 is the background.
        pred_mask: In any encoding of `predicted_segmentation`, of the same height and width.

    Returns:
        SC and mSC, float64 [B] each, in [0, 1]; NaN for an image without objects.
    """
    labels = true_segmentation(true_mask).labels  # [B, H, W]
    best = tf.reduce_max(iou_matrix(labels, pred_mask), axis=2).numpy()[:, 1:]  # [B, E - 1]
    entities = tf.one_hot(labels, best.shape[1] + 1, dtype=tf.float64)  # [B, H, W, E]
    area = tf.reduce_sum(entities, [1, 2]).numpy()[:, 1:]  # [B, E - 1]
    visible = area > 0  # [B, E - 1]
    n_visible = np.where(visible.any(1), visible.sum(1), np.nan)  # [B]
    total = np.where(visible.any(1), area.sum(1), np.nan)  # [B]
    return (best * area).sum(1) / total, (best * visible).sum(1) / n_visible
