"""Segmentation, reconstruction and rate of the first test scenes: the scores of EMORL's tables."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from discovery import DataSource, Seed, TrainableModel
from emorl.evaluation.inference import infer
from emorl.evaluation.run_over_scenes import has_masks, over_scenes
from emorl.metrics.adjusted_rand_index import adjusted_rand_index
from emorl.metrics.iou import mean_iou, too_few_slots
from emorl.metrics.mask_resize import resize_masks
from emorl.metrics.mean_squared_error import mean_squared_error
from emorl.metrics.segmentation import true_segmentation
from emorl.metrics.segmentation_covering import segmentation_covering

_WITHOUT_MASKS = (
    "the data have no masks, or they were not requested (DataConfig's masks): no ARI or IoU is computed"
)


class SceneScores(NamedTuple):
    """Scores of N scenes, each of which depends only on its scene.

    Attributes:
        ari: float32 [N], adjusted Rand index of foreground pixels, as published; None: no masks.
        ari_all: float32 [N], of all pixels; None: no masks.
        miou: float64 [N], mean over objects of the IoU with their slots; NaN for a scene without objects;
            None: no masks.
        covering: float64 [N], segmentation covering of the objects; NaN and None as in `miou`.
        mean_covering: float64 [N], the same with all objects weighted equally.
        mse: float32 [N], mean squared error of the reconstruction per color value in [0, 1].
        kl: float32 [N], KL from the final posterior to its prior, in nats; None for Slot Attention.
    """

    ari: np.ndarray | None
    ari_all: np.ndarray | None
    miou: np.ndarray | None
    covering: np.ndarray | None
    mean_covering: np.ndarray | None
    mse: np.ndarray
    kl: np.ndarray | None

    def summary(self) -> dict[str, dict[str, float] | None]:
        """Returns mean and standard deviation of each score, under the names of the tables."""
        names = {"ari": "ARI", "ari_all": "ARI_all", "miou": "mIoU", "covering": "SC"}
        names |= {"mean_covering": "mSC", "mse": "MSE", "kl": "KL"}
        return {names[score]: _mean_and_std(values) for score, values in self._asdict().items()}

    def text_files(self) -> dict[str, str]:
        """Returns the original's files by name, with mean and standard deviation of scores that exist."""
        exact = "{},{}\n"
        files = {
            "ARI.txt": (self.ari, "{:.3f},{:.3f}\n"),
            "MSE.txt": (self.mse, exact),
            "KL.txt": (self.kl, exact),
        }
        return {
            name: line.format(*_mean_and_std(values).values())
            for name, (values, line) in files.items()
            if values is not None
        }


def ari_mse_kl(
    model: TrainableModel, source: DataSource, n_images: int = 320, seed: Seed | int = 0
) -> SceneScores:
    """Scores the first test scenes.

    Predicted masks are resized to the true ones if sizes differ (E25: CLEVR). If the model has fewer slots
    than a scene has objects, a warning describes the effect. Without masks, their scores are missing, and a
    warning says so.

    Args:
        model: EfficientMORL or Slot Attention.
        source: The data, with "mask" if there are masks.
        n_images: Number of scenes; fewer if the set is smaller.
        seed: Seed of the samples.

    Raises:
        UserError: There are no scenes, or a mask is not a partition.
    """
    reads = ["mask"] if has_masks(source) else []
    warning = None if reads else _WITHOUT_MASKS
    scores, most_objects = [], 0
    for scenes, seen in over_scenes(model, source, n_images, lambda x: infer(model, x, seed), reads):
        of_masks = (None,) * 5
        if reads:
            true = true_segmentation(scenes["mask"]).labels  # [b, H', W']
            predicted = resize_masks(seen.masks, true.shape[1:])  # [b, K, H', W', 1]
            n_objects = [np.count_nonzero(np.unique(labels)) for labels in true.numpy()]
            most_objects = max([most_objects, *n_objects])
            of_masks = (
                adjusted_rand_index(true, predicted).numpy(),
                adjusted_rand_index(true, predicted, foreground_only=False).numpy(),
                mean_iou(true, predicted),
                *segmentation_covering(true, predicted),
            )
        mse = mean_squared_error(scenes["image"], seen.reconstruction).numpy()
        scores.append(SceneScores(*of_masks, mse, None if seen.kl is None else seen.kl.numpy()))
    warning = warning or too_few_slots(most_objects, model.config.K)
    if warning:
        warnings.warn(warning, stacklevel=2)
    return SceneScores(
        *(None if parts[0] is None else np.concatenate(parts) for parts in zip(*scores, strict=True))
    )


def _mean_and_std(values):
    if values is None or np.isnan(values).all():
        return None
    return {
        "mean": float(np.nanmean(values, dtype=np.float64)),
        "std": float(np.nanstd(values, dtype=np.float64)),
    }
