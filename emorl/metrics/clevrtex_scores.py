"""The scores of the CLEVRTEX benchmark (Karazija et al., NeurIPS 2021) for each image."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import tensorflow as tf

from emorl.metrics.adjusted_rand_index import adjusted_rand_index
from emorl.metrics.segmentation import overlaps, predicted_segmentation, true_segmentation

SCORES = ("MSE", "acc", "mIoU", "mIoU_fg", "mIoU_gt", "DICE", "DICE_FG", "ARI", "ARI_FG")


def clevrtex_scores(
    image: tf.Tensor, reconstruction: tf.Tensor, true_mask: tf.Tensor, pred_mask: tf.Tensor
) -> dict[str, np.ndarray]:
    """Scores images; each score depends only on its image.

    Slots and entities are matched one to one, so as to maximize the sum of their intersections over union;
    the shorter of the two lists is padded with empty masks.

    Args:
        image: float32 [B, H, W, 3] in [0, 1].
        reconstruction: float32 [B, H, W, 3].
        true_mask: In any encoding of `true_segmentation`, of the same size; entity 0 is the ground.
        pred_mask: In any encoding of `predicted_segmentation`.

    Returns:
        float64 [B] for each of `SCORES`. MSE is summed over pixels and channels; acc is whether the number of
        masks is correct; mIoU and DICE are means over pairs that are not both empty, `_fg` without the
        ground's, `_gt` per true entity; ARI_FG leaves out the ground's pixels. NaN: a mean over nothing.
    """
    true, predicted = true_segmentation(true_mask), predicted_segmentation(pred_mask)
    shared = overlaps(true, predicted).numpy()  # [B, E, K]
    scores = {
        "MSE": tf.reduce_sum(tf.math.squared_difference(image, reconstruction), axis=[1, 2, 3]).numpy(),
        "ARI": adjusted_rand_index(true.labels, predicted.labels, foreground_only=False).numpy(),
        "ARI_FG": adjusted_rand_index(true.labels, predicted.labels).numpy(),
    }
    with np.errstate(invalid="ignore"):
        matched = [_matched_scores(image_shared) for image_shared in shared]
    scores |= {name: np.array([s[name] for s in matched]) for name in matched[0]}
    return {name: scores[name].astype(np.float64) for name in SCORES}


def resize_labels(true_mask: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Resizes true masks to the predictions, by the nearest pixel up and left: int32 [B, *size].

    The original scores CLEVR in this way, with masks of 192 pixels and predictions of 128.
    """
    labels = true_segmentation(true_mask).labels
    for axis, n in enumerate(size, start=1):
        labels = tf.gather(labels, np.arange(n) * labels.shape[axis] // n, axis=axis)
    return labels


def _matched_scores(shared):
    """Returns the scores of one image from its overlaps [E, K]."""
    true_area, pred_area = shared.sum(axis=1), shared.sum(axis=0)
    # As many masks as the benchmark has for its own images, since ties are broken by position.
    n = max(1 + int(np.flatnonzero(true_area).max()), len(pred_area))
    square = np.zeros([n, n])
    square[: len(true_area), : len(pred_area)] = shared[:n]
    true_area, pred_area = square.sum(axis=1), square.sum(axis=0)
    total = true_area[:, None] + pred_area  # [n, n]
    iou = np.divide(square, total - square, out=np.zeros_like(square), where=square > 0)
    slots = scipy.optimize.linear_sum_assignment(iou, maximize=True)[1]  # [n]: the slot of each entity
    pairs = np.arange(n), slots
    iou, dice = iou[pairs], np.divide(2 * square, total, out=np.zeros_like(square), where=square > 0)[pairs]
    seen = true_area > 0
    n_pairs = np.float64((seen | (pred_area[slots] > 0)).sum())
    return {
        "acc": float(seen.sum() == (pred_area > 0).sum()),
        "mIoU": iou.sum() / n_pairs,
        "mIoU_fg": iou[1:].sum() / (n_pairs - 1),
        "mIoU_gt": iou.sum() / np.float64(seen.sum()),
        "DICE": dice.sum() / n_pairs,
        "DICE_FG": dice[1:].sum() / (n_pairs - 1),
    }
