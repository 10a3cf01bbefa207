"""The scores of the CLEVRTEX benchmark on the first test scenes of any data set with masks."""

from __future__ import annotations

import warnings

import numpy as np

from discovery import DataSource, Seed, TrainableModel
from emorl.evaluation.inference import infer
from emorl.evaluation.run_over_scenes import over_scenes
from emorl.metrics.clevrtex_scores import SCORES, clevrtex_scores, resize_labels
from emorl.metrics.iou import too_few_slots


def evaluate_clevrtex(
    model: TrainableModel, source: DataSource, n_images: int = 320, seed: Seed | int = 0
) -> dict[str, np.ndarray]:
    """Scores the first test scenes.

    True masks are resized to the predictions if sizes differ (CLEVR), as in the original. If the model has
    fewer slots than a scene has objects, a warning describes the effect.

    Args:
        model: EfficientMORL or Slot Attention.
        source: The data, with "mask".
        n_images: Number of scenes; fewer if the set is smaller.
        seed: Seed of the samples.

    Returns:
        float64 [N] for each of `emorl.metrics.clevrtex_scores.SCORES`; NaN: a mean of nothing.

    Raises:
        UserError: There are no scenes, or a mask is missing or not a partition.
    """
    parts, most_objects = [], 0
    for scenes, seen in over_scenes(model, source, n_images, lambda x: infer(model, x, seed), ["mask"]):
        true = resize_labels(scenes["mask"], seen.masks.shape[2:4])  # [b, H, W]
        most_objects = max([most_objects, *(np.count_nonzero(np.unique(labels)) for labels in true.numpy())])
        parts.append(clevrtex_scores(scenes["image"], seen.reconstruction, true, seen.masks))
    warning = too_few_slots(most_objects, model.config.K)
    if warning:
        warnings.warn(warning, stacklevel=2)
    return {name: np.concatenate([part[name] for part in parts]) for name in SCORES}
