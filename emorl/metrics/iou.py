"""Intersection over union of objects and slots, and which slot stands for which object."""

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
    """Intersection over union of every pair: float64 [B, E, K] in [0, 1]; 0 where both are empty.

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
    """Assigns slots to objects one to one, so that the sum of their IoU is largest (the original's DCI).

    Args:
        true_mask: In any encoding of `true_segmentation`, E entities.
        pred_mask: In any encoding of `predicted_segmentation`, K slots.
        presence: [B, E], whether an entity is in the scene; what stands for the background is not read.
        min_pixels: Objects with fewer visible pixels are left out.
        min_iou: Pairs with less in common are left out.

    Returns:
        One `Matching` per image. Where there are more objects than slots, a warning, and K of them at most.
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
    """Mean over the visible objects of the IoU with their slots, matched one to one: float64 [B].

    An object without a slot counts as 0; an image without objects is NaN.
    """
    shared = overlaps(true_segmentation(true_mask), predicted_segmentation(pred_mask)).numpy()  # [B, E, K]
    scores = []
    for image_iou, area in zip(_iou(shared).numpy(), shared.sum(axis=2), strict=True):
        objects = 1 + np.flatnonzero(area[1:])
        pairs = scipy.optimize.linear_sum_assignment(image_iou[objects], maximize=True)
        scores.append(image_iou[objects][pairs].sum() / len(objects) if len(objects) else np.nan)
    return np.array(scores)


def too_few_slots(n_objects: int, n_slots: int) -> str | None:
    """Says what it does to the metrics that a model has fewer slots than a scene has objects, if it has."""
    if n_slots >= n_objects:
        return None
    return (
        f"{n_objects} objects, but {n_slots} slots: {n_objects - n_slots} or more share a slot or have none, "
        "so ARI and IoU cannot reach 1, and DCI leaves objects out."
    )


def _iou(shared):
    shared = tf.convert_to_tensor(shared)
    union = (
        tf.reduce_sum(shared, axis=2, keepdims=True) + tf.reduce_sum(shared, axis=1, keepdims=True) - shared
    )
    return tf.math.divide_no_nan(shared, union)
