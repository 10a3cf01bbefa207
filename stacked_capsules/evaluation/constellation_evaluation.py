"""Scores a constellation autoencoder: do its capsules segment points into patterns (paper section 3.1)?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from discovery import Batch, TrainableModel
from stacked_capsules.evaluation.collect import collect, compiled_inference
from stacked_capsules.evaluation.segmentation import segmentation_accuracy


def evaluate_constellations(
    model: TrainableModel, batches: Iterable[Batch], n_examples: int, seed: int = 0
) -> dict[str, Any]:
    """Scores the first `n_examples` of some batches that the model was not trained on.

    Returns:
        For JSON: n_examples; segmentation_accuracy in [0, 1]; one_capsule_accuracy, the score of a model
        in which one capsule explains every point; points_per_capsule [O], the mean number each explains.

    Raises:
        UserError: there are too few examples, or no point is present in any.
    """
    infer = compiled_inference(model, explained_points, seed)
    collected = collect(infer, batches, n_examples)
    pred, gt, presence = (collected[name] for name in ("capsule", "pattern", "presence"))  # [N, P] each
    capsules = np.arange(collected["caps_presence"].shape[1])  # [O]
    wins = ((pred[..., None] == capsules) * presence[..., None]).sum(1)  # [N, O]
    return {
        "n_examples": len(pred),
        "segmentation_accuracy": segmentation_accuracy(pred, gt, presence),
        "one_capsule_accuracy": segmentation_accuracy(np.zeros_like(pred), gt, presence),
        "points_per_capsule": wins.mean(0).tolist(),
    }


def explained_points(batch: Batch, outputs: Any) -> dict[str, tf.Tensor]:
    """Picks what is scored from a batch and the outputs of a constellation autoencoder."""
    return {
        "capsule": outputs.votes.is_from_capsule,  # [B, P]
        "pattern": batch["pattern_id"],  # [B, P]
        "presence": batch["presence"],  # [B, P]
        "caps_presence": outputs.caps_presence_prob,  # [B, O]
    }
