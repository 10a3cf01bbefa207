"""Segmentation accuracy of constellations (paper section 3.1)."""

from __future__ import annotations

import numpy as np

from discovery import UserError
from stacked_capsules.evaluation.clustering import bipartite_match


def segmentation_accuracy(pred: np.ndarray, gt: np.ndarray, presence: np.ndarray | None = None) -> float:
    """Fraction of present points grouped correctly, with capsules matched to patterns in each example.

    Args:
        pred: int [N, P], the capsule that explains each point; any ids.
        gt: int [N, P], the pattern that each point belongs to; any ids.
        presence: [N, P], 1 for points that exist and 0 for padding; by default, all exist.

    Returns:
        Accuracy in [0, 1] over all points of all examples.

    Raises:
        UserError: no point is present.
    """
    presence = np.ones(gt.shape) if presence is None else presence
    if not pred.shape == gt.shape == presence.shape or pred.ndim != 2:
        raise ValueError(f"pred, gt, presence must be [N, P], not {pred.shape}, {gt.shape}, {presence.shape}")
    n_points = float(presence.sum())
    if n_points == 0:
        raise UserError(
            "segmentation accuracy: no point is present in any example; evaluate on more examples"
        )
    correct = [bipartite_match(*example).num_correct for example in zip(pred, gt, presence, strict=True)]
    return sum(correct) / n_points
