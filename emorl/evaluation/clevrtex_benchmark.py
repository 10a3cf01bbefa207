"""The scores of the CLEVRTEX benchmark on the first test scenes, of any data set with masks."""

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

    True masks are brought to the size of the predictions where these differ (CLEVR), as the original does.
    Where the model has fewer slots than a scene has objects, a warning says what that does.

    Args:
        model: EfficientMORL or Slot Attention.
        source: The data, with "mask".
        n_images: How many scenes; fewer where the set is smaller.
        seed: Of the samples.

    Returns:
        float64 [N] for each of `emorl.metrics.clevrtex_scores.SCORES`; NaN: a mean of nothing.

    Raises:
        UserError: There is no scene, or it has no mask or one that is no partition.
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
