"""Intersection over union of objects and slots, and which slot represents which object."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import scipy.optimize
import tensorflow as tf

from emorl.metrics.segmentation import overlaps, predicted_segmentation, true_segmentation


class Matching(NamedTuple):
    """Pairs of one image.

    Attributes:
        entities: int64 [M], ascending; 0, the background, is never among them.
        slots: int64 [M].
    """

    entities: np.ndarray
    slots: np.ndarray


def iou_matrix(true_mask: tf.Tensor, pred_mask: tf.Tensor) -> tf.Tensor:
    """Returns the intersection over union of every pair: float64 [B, E, K] in [0, 1]; 0 if both are empty.

    Args:
        true_mask: In any encoding of `true_segmentation`.
        pred_mask: In any encoding of `predicted_segmentation`, of the same height and width.
    """
    return _iou(overlaps(true_segmentation(true_mask), predicted_segmentation(pred_mask)))


def match_slots(
    true_mask: tf.Tensor,
    pred_mask: tf.Tensor,
    presence: np.ndarray,
    min_pixels: int = 50,
    min_iou: float = 0.1,
) -> list[Matching]:
    """Assigns slots to objects one to one, so as to maximize the sum of their IoU (the original's DCI).

    Args:
        true_mask: In any encoding of `true_segmentation`, E entities.
        pred_mask: In any encoding of `predicted_segmentation`, K slots.
        presence: [B, E], whether an entity is in the scene; the background's is ignored.
        min_pixels: Objects with fewer visible pixels are left out.
        min_iou: Pairs with less overlap are left out.

    Returns:
        One `Matching` per image. If there are more objects than slots, a warning, and at most K pairs.
    """
    shared = overlaps(true_segmentation(true_mask), predicted_segmentation(pred_mask)).numpy()  # [B, E, K]
    iou = _iou(shared).numpy()
    matchings = []
    for image_iou, area, present in zip(iou, shared.sum(axis=2), np.asarray(presence), strict=True):
        present = present[: len(area)] > 0
        warning = too_few_slots(int(present[1:].sum()), image_iou.shape[1])
        if warning:
            warnings.warn(warning, stacklevel=2)
        objects = 1 + np.flatnonzero(present[1:] & (area[1 : len(present)] >= min_pixels))
        rows, slots = scipy.optimize.linear_sum_assignment(image_iou[objects], maximize=True)
        kept = image_iou[objects[rows], slots] >= min_iou
        matchings.append(Matching(objects[rows][kept], slots[kept]))
    return matchings


def mean_iou(true_mask: tf.Tensor, pred_mask: tf.Tensor) -> np.ndarray:
    """Returns the mean over visible objects of the IoU with their slots, matched one to one: float64 [B].

    An object without a slot counts as 0; an image without objects gives NaN.
    """
    shared = overlaps(true_segmentation(true_mask), predicted_segmentation(pred_mask)).numpy()  # [B, E, K]
    scores = []
    for image_iou, area in zip(_iou(shared).numpy(), shared.sum(axis=2), strict=True):
        objects = 1 + np.flatnonzero(area[1:])
        pairs = scipy.optimize.linear_sum_assignment(image_iou[objects], maximize=True)
        scores.append(image_iou[objects][pairs].sum() / len(objects) if len(objects) else np.nan)
    return np.array(scores)


def too_few_slots(n_objects: int, n_slots: int) -> str | None:
    """Describes the effect on metrics if a model has fewer slots than a scene has objects; otherwise None."""
    if n_slots >= n_objects:
        return None
    return (
        f"{n_objects} objects, but {n_slots} slots: {n_objects - n_slots} or more share a slot or have none, "
        "so ARI and IoU cannot reach 1; DCI leaves out objects without a slot, and downstream predicts them "
        "as its baseline does."
    )


def _iou(shared):
    shared = tf.convert_to_tensor(shared)
    union = (
        tf.reduce_sum(shared, axis=2, keepdims=True) + tf.reduce_sum(shared, axis=1, keepdims=True) - shared
    )
    return tf.math.divide_no_nan(shared, union)
