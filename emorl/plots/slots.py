"""Pictures of slots: what each attends to and renders, stage by stage, as in EMORL's figure 6."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from discovery import Batch, TrainableModel
from emorl.evaluation.stage_views import StageViews, stage_names, stage_views
from emorl.metrics.clevrtex_scores import resize_labels
from emorl.plots.image_table import Block, image_table
from emorl.plots.segmentation_colors import segmentation_colors


def emorl_plots(
    model: TrainableModel, batch: Batch, n_examples: int = 4, seed: int = 0
) -> dict[str, np.ndarray]:
    """Draws what EfficientMORL or Slot Attention infers from the first images of a batch.

    Args:
        model: One of the two.
        batch: "image" float32 [B, H, W, 3] in [0, 1] and, optionally, "mask" in any encoding of the metrics.
        n_examples: Number of images.
        seed: Seed of the samples.

    Returns:
        "reconstructions", "slots", "masks" and (if there are layers) "attention", with a row per image;
        "stages", with a row per stage of the first image; uint8 [height, width, 3].
    """
    images = tf.convert_to_tensor(batch["image"])[:n_examples]
    views = StageViews(*(view.numpy() for view in stage_views(model, images, seed)))
    names = stage_names(model, views)
    true_mask = batch["mask"][:n_examples] if "mask" in batch else None
    images = images.numpy()
    given = [Block("input", images[:, None])]
    pictures = {
        "reconstructions": image_table(
            [
                *given,
                *_true_segmentation(true_mask, images),
                Block("segmentation", segmentation_picture(views.masks[:, -1:])),
                *(
                    Block(name, views.reconstruction[:, t : t + 1])
                    for t, name in enumerate(names[-views.reconstruction.shape[1] :])
                ),
            ]
        ),
        "slots": image_table([*given, Block("slots", views.slots[:, -1])]),
        "masks": image_table([*given, Block("masks", views.masks[:, -1])]),
        "stages": stages_picture(images[0], StageViews(*(view[0] for view in views)), names),
    }
    if views.attention.shape[1]:
        pictures["attention"] = image_table([*given, Block("attention", views.attention[:, -1])])
    return pictures


def stages_picture(image: np.ndarray, views: StageViews, names: list[str]) -> np.ndarray:
    """Draws all stages of one image: input, reconstruction, segmentation, slots, masks and attention.

    Args:
        image: float32 [H, W, 3] in [0, 1].
        views: Of that image, without the batch axis.
        names: From `stage_names`.

    Returns:
        uint8 [height, width, 3].
    """
    n_rows = len(names)
    whole = np.stack([views.reconstruction, segmentation_picture(views.masks)], axis=1)  # [T, 2, H, W, 3]
    blocks = [
        Block("input", _rows(image[None, None], n_rows, at_end=False)),
        Block("reconstruction, segmentation", _rows(whole, n_rows)),
        Block("slots", _rows(views.slots, n_rows)),
        Block("masks", _rows(views.masks, n_rows)),
    ]
    if len(views.attention):
        blocks.append(Block("attention", _rows(views.attention, n_rows, at_end=False)))
    return image_table(blocks, names)


def segmentation_picture(masks: np.ndarray) -> np.ndarray:
    """Colors each pixel by its likeliest slot: masks [..., K, H, W, 1] -> float32 [..., H, W, 3]."""
    return segmentation_colors(masks[..., 0].argmax(axis=-3))


def _true_segmentation(true_mask, images):
    if true_mask is None:
        return []
    labels = resize_labels(true_mask, images.shape[1:3]).numpy()  # [B, H, W]
    return [Block("entities", segmentation_colors(labels, background=True)[:, None])]


def _rows(tiles, n_rows, at_end=True):
    """Pads tiles [T, N, H, W, C] with empty rows."""
    missing = n_rows - len(tiles)
    rows = [(missing, 0) if at_end else (0, missing)] + [(0, 0)] * (tiles.ndim - 1)
    return np.pad(tiles.astype(np.float32), rows, constant_values=np.nan)
