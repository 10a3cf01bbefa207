"""DCI of slots: which latents predict which factors of the objects (EMORL, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from discovery import DataSource, Seed, TrainableModel, UserError
from emorl.evaluation.inference import means_and_masks
from emorl.evaluation.run_over_scenes import over_scenes
from emorl.metrics.dci import DCI, dci
from emorl.metrics.iou import match_slots
from emorl.metrics.mask_resize import resize_masks

_SPLIT_SEED = 5  # for splitting objects into halves, as in the original


class MatchedObjects(NamedTuple):
    """Objects of several scenes and the slots that represent them.

    Attributes:
        codes: float32 [M, z], the slots' posterior means (Slot Attention's slots).
        factors: float32 [M, F].
        n_images: Number of scenes evaluated.
    """

    codes: np.ndarray
    factors: np.ndarray
    n_images: int


def matched_objects(
    model: TrainableModel, source: DataSource, n_images: int = 320, seed: Seed | int = 0
) -> MatchedObjects:
    """Finds the slot of each object in the first test scenes, by its mask.

    Masks are decoded from the posterior's means, at the size of the true masks (E25).

    Args:
        model: EfficientMORL or Slot Attention.
        source: The data, with "mask", "factors" and "visibility".
        n_images: Number of scenes; fewer if the set is smaller.
        seed: Seed of the samples.

    Raises:
        UserError: There are no scenes, or the data lack masks or factors.
    """
    codes, factors, n_seen = [], [], 0
    reads = ["mask", "factors", "visibility"]
    seen = over_scenes(model, source, n_images, lambda x: means_and_masks(model, x, seed), reads)
    for scenes, (means, masks) in seen:
        predicted = resize_masks(masks, scenes["mask"].shape[-2:])
        matchings = match_slots(scenes["mask"], predicted, scenes["visibility"].numpy())
        for matching, image_means, image_factors in zip(
            matchings, means.numpy(), scenes["factors"].numpy(), strict=True
        ):
            codes.append(image_means[matching.slots])
            factors.append(image_factors[matching.entities])
        n_seen += len(matchings)
    return MatchedObjects(np.concatenate(codes), np.concatenate(factors), n_seen)


def dci_of_objects(objects: MatchedObjects, kinds: Sequence[str], compat: bool = False, seed: int = 0) -> DCI:
    """Fits trees to one half of the objects and scores them on the other.

    Args:
        objects: From `matched_objects`.
        kinds: "continuous" or "discrete" for each of the first columns of the factors; others are ignored.
        compat: Compute it as the original does (E3); see `emorl.metrics.dci`.
        seed: Seed of the trees.

    Raises:
        UserError: Too few objects were matched.
    """
    if len(objects.codes) < 4:
        raise UserError(
            f"DCI: {len(objects.codes)} objects in {objects.n_images} images have their own slot, too few to "
            "score: evaluate more images (--num_images_to_process), or train longer."
        )
    codes_train, codes_test, factors_train, factors_test = train_test_split(
        objects.codes, objects.factors[:, : len(kinds)], test_size=0.5, random_state=_SPLIT_SEED
    )
    return dci(codes_train, factors_train, codes_test, factors_test, kinds, compat, seed)
