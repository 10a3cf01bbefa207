"""Everything between an image and its slots, as arrays for `numpy.load`; the original pickles it (E21)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from discovery import DataSource, Seed, TrainableModel
from emorl.evaluation.run_over_scenes import has_masks, over_scenes
from emorl.evaluation.stage_views import StageViews, stage_names, stage_views
from emorl.metrics.segmentation import true_segmentation


class Sample(NamedTuple):
    """One scene, and how its slots are inferred.

    Attributes:
        image: float32 [H, W, 3] in [0, 1].
        labels: int32 [H', W'], the true entity of each pixel; None: there are no masks.
        n_entities: Maximum number of entities.
        views: Of this image, without the batch axis.
        names: The name of each row of a picture.
    """

    image: np.ndarray
    labels: np.ndarray | None
    n_entities: int
    views: StageViews
    names: list[str]

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the arrays under the original's names, with its axis for a batch of one.

        If there are more stages than attention maps, the last map is repeated.
        """
        views = self.views
        maps = len(views.attention)
        attention = (
            views.attention[np.minimum(np.arange(max(maps, len(views.masks))), maps - 1)]
            if maps
            else views.attention
        )
        true = {}
        if self.labels is not None:
            entities = np.arange(self.n_entities)[:, None, None, None]
            true["data/true_mask"] = 255 * (self.labels == entities).astype(np.uint8)  # [E, 1, H', W']
        arrays = {
            "data/image": self.image,
            **true,
            "outputs/recons": views.reconstruction,
            "outputs/pred_mask": views.masks,
            "outputs/pred_mask_logits": views.mask_log_probs,
            "outputs/components": views.slots,
            "outputs/attention": attention,
        }
        return {name: array[None] for name, array in arrays.items()}


def samples(
    model: TrainableModel, source: DataSource, n_images: int = 10, seed: Seed | int = 0
) -> Iterator[Sample]:
    """Yields samples of the first test scenes, one after the other.

    Args:
        model: EfficientMORL or Slot Attention.
        source: The data, with "mask" if there are masks.
        n_images: Number of scenes; fewer if the set is smaller.
        seed: Seed of the samples.

    Raises:
        UserError: There are no scenes, or a mask is not a partition.
    """
    reads = ["mask"] if has_masks(source) else []
    for scenes, views in over_scenes(model, source, n_images, lambda x: stage_views(model, x, seed), reads):
        names = stage_names(model, views)
        true = true_segmentation(scenes["mask"]) if reads else None
        for row, image in enumerate(scenes["image"].numpy()):
            image_views = StageViews(*(view[row].numpy() for view in views))
            of_truth = (true.labels[row].numpy(), int(true.n)) if true else (None, 0)
            yield Sample(image, *of_truth, image_views, names)
