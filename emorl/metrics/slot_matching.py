"""Which slot stands for which object, one to one and at the least cost."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import tensorflow as tf

from emorl.metrics.iou import iou_matrix
from emorl.metrics.segmentation import true_segmentation

#: The slot of what has none.
NO_SLOT = -1


def assign_slots(cost: np.ndarray, is_object: np.ndarray) -> np.ndarray:
    """Gives objects slots of their own, so that the costs of each scene's pairs add up to the least.

    Where a scene has more objects than slots, K of them get one; where it has fewer, slots are left over.

    Args:
        cost: float [B, E, K], of every pair.
        is_object: bool [B, E], which entities are to get a slot: no background, nothing absent.

    Returns:
        int32 [B, E], `NO_SLOT` where an entity gets none.
    """
    slots = np.full(is_object.shape, NO_SLOT, np.int32)
    for scene, (scene_cost, there) in enumerate(zip(cost, is_object, strict=True)):
        objects = np.flatnonzero(there)
        rows, columns = scipy.optimize.linear_sum_assignment(scene_cost[objects])
        slots[scene, objects[rows]] = columns
    return slots


def slots_by_mask(true_mask: tf.Tensor, pred_mask: tf.Tensor, is_object: np.ndarray) -> np.ndarray:
    """Matches by masks: the intersections over union of a scene's pairs add up to the most.

    Args:
        true_mask: In any encoding of `true_segmentation`, E entities.
        pred_mask: In any encoding of `predicted_segmentation`; each pixel is its likeliest slot's.
        is_object: bool [B, E].

    Returns:
        int32 [B, E], `NO_SLOT` where an entity gets none.
    """
    return assign_slots(-iou_matrix(true_mask, pred_mask).numpy(), is_object)


def visible_objects(true_mask: tf.Tensor, presence: np.ndarray) -> np.ndarray:
    """Which entities are objects of which a pixel is to be seen: bool [B, E]; entity 0 is the background.

    Args:
        true_mask: In any encoding of `true_segmentation`, E entities.
        presence: [B, E], whether an entity is in the scene.
    """
    labels = true_segmentation(true_mask).labels  # [B, H, W]
    pixels = tf.one_hot(labels, presence.shape[1])  # [B, H, W, E]
    seen = tf.reduce_any(pixels > 0, axis=[1, 2]).numpy() & (presence > 0)  # [B, E]
    seen[:, 0] = False
    return seen
