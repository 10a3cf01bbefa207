"""How well the properties of objects can be predicted from their slots (Dittadi et al., ICML 2022)."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from discovery import DataSource, Seed, TrainableModel, UserError
from emorl.evaluation.inference import means_and_masks
from emorl.evaluation.run_over_scenes import check_holds, over_scenes
from emorl.metrics.iou import too_few_slots
from emorl.metrics.mask_resize import resize_masks
from emorl.metrics.object_properties import encode_properties, measure_properties, property_scores
from emorl.metrics.property_prediction import (
    MATCHINGS,
    PREDICTORS,
    SlotScenes,
    predict_objects,
    train_predictor,
)
from emorl.metrics.slot_matching import slots_by_mask, visible_objects

_READS = ("mask", "factors", "visibility")


class FoundScenes(NamedTuple):
    """N scenes, and the slots that a model finds in them.

    Attributes:
        slots: float32 [N, K, z], the posterior's means (Slot Attention's slots).
        factors: float32 [N, E, F].
        is_object: bool [N, E], objects of which a pixel is to be seen.
        by_mask: int32 [N, E], the slot of each by its mask, `NO_SLOT` where it has none.
    """

    slots: np.ndarray
    factors: np.ndarray
    is_object: np.ndarray
    by_mask: np.ndarray


class DownstreamScores(NamedTuple):
    """Scores on test scenes: R^2 of continuous properties, accuracy of discrete ones; float64 [F] each.

    R^2 is NaN of a property that is the same in all objects scored.

    Attributes:
        predictors: (predictor, matching) -> scores; of a model with a single slot, matched by loss alone.
        other_scenes: The same of predictors that are given the slots of another scene, both to learn from
            and in the test: what a slot's number reveals about its object, where matched by masks, and what
            is gained by choosing among slots, where matched by loss.
        baseline: Scores of predicting the mean, or the most frequent class, of the training objects.
        n_images: "train" and "valid" -> how many scenes.
        n_objects: "train" and "valid" -> how many objects.
    """

    predictors: dict[tuple[str, str], np.ndarray]
    other_scenes: dict[tuple[str, str], np.ndarray]
    baseline: np.ndarray
    n_images: dict[str, int]
    n_objects: dict[str, int]


def downstream(
    model: TrainableModel,
    source: DataSource,
    kinds: Sequence[str],
    n_train: int = 2000,
    n_test: int = 320,
    seed: int = 0,
    n_steps: int = 6000,
) -> DownstreamScores:
    """Trains predictors on slots of the first training scenes and scores them on the first test scenes.

    A slot stands for one object, matched by masks (the IoU of true masks and of the pixels whose likeliest
    slot it is, where Dittadi et al. take the cosine of soft masks) or by the loss of the prediction, which in
    the test too looks at the truth: compare its scores with those of `other_scenes`. The slots that are left
    over are the background's, which is not predicted, and no scores are taken of them. Objects without a
    visible pixel are left out. Where there are fewer slots than objects, a warning, and the rest is predicted
    as the baseline does. From a single slot, of a model without objects, all objects of a scene are predicted
    at once, and matched by loss.

    Args:
        model: EfficientMORL, Slot Attention or VAE; it is not trained further.
        source: The data, with "mask", "factors" and "visibility" in both sets.
        kinds: "continuous" or "discrete" for each of the first F columns of the factors.
        n_train: How many scenes to learn from; fewer where the set is smaller.
        n_test: How many scenes to score; fewer where the set is smaller.
        seed: Of samples, predictors' weights and batches.
        n_steps: Most steps of a predictor.

    Raises:
        UserError: There are too few scenes or objects, the data lack masks or factors, or slots are not
            finite.
    """
    for split in ("train", "valid"):
        _check(source, split, kinds)
    train = find_scenes(model, source, "train", n_train, len(kinds), seed)
    test = find_scenes(model, source, "valid", n_test, len(kinds), seed)
    return predict_properties(train, test, kinds, seed, n_steps)


def find_scenes(
    model: TrainableModel, source: DataSource, split: str, n_images: int, n_factors: int, seed: Seed | int = 0
) -> FoundScenes:
    """Finds the slots of the first scenes of a split, and the objects that they stand for by their masks."""
    parts = []
    seen = over_scenes(model, source, n_images, lambda x: means_and_masks(model, x, seed), _READS, split)
    for scenes, (means, masks) in seen:
        is_object = visible_objects(scenes["mask"], scenes["visibility"].numpy())  # [b, E]
        by_mask = slots_by_mask(scenes["mask"], resize_masks(masks, scenes["mask"].shape[-2:]), is_object)
        factors = scenes["factors"].numpy()[..., :n_factors]  # [b, E, F]
        parts.append(FoundScenes(means.numpy(), factors, is_object, by_mask))
    found = FoundScenes(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    n_slots = found.slots.shape[1]
    warning = too_few_slots(int(found.is_object.sum(axis=1).max()), n_slots)
    if warning and n_slots > 1:  # a single slot stands for the whole scene
        warnings.warn(warning, stacklevel=2)
    return found


def predict_properties(
    train: FoundScenes, test: FoundScenes, kinds: Sequence[str], seed: int = 0, n_steps: int = 6000
) -> DownstreamScores:
    """Trains every predictor with every matching on some scenes and scores it on others; see `downstream`."""
    found = {"train": train, "valid": test}
    n_images = {split: len(scenes.slots) for split, scenes in found.items()}
    n_objects = {split: int(scenes.is_object.sum()) for split, scenes in found.items()}
    if min(n_images.values()) < 2 or min(n_objects.values()) < 2:
        raise UserError(
            f"{n_images['train']} training scenes with {n_objects['train']} objects, "
            f"{n_images['valid']} with {n_objects['valid']} to score: too few to predict "
            "properties; take two or more (--downstream_train_images, --num_images_to_process)."
        )
    if not all(np.isfinite(scenes.slots).all() for scenes in found.values()):
        raise UserError("the model's slots hold NaN or infinity; is its training broken?")
    properties = measure_properties(train.factors[train.is_object], kinds)
    learned, scored = (
        SlotScenes(
            scenes.slots, encode_properties(properties, scenes.factors), scenes.is_object, scenes.by_mask
        )
        for scenes in (train, test)
    )
    mean = learned.targets[learned.is_object].mean(axis=0)  # [P]: of classes, how frequent they are
    true = scored.targets[scored.is_object]  # [M, P]
    baseline = property_scores(properties, true, np.broadcast_to(mean, true.shape))
    matchings = MATCHINGS if train.slots.shape[1] > 1 else ("loss",)

    def scores_of(learned, scored):
        scores = {}
        for kind, matching in itertools.product(PREDICTORS, matchings):
            predictor = train_predictor(learned, properties, kind, matching, seed, n_steps)
            objects = predict_objects(predictor, scored, properties, matching, mean)
            scores[kind, matching] = property_scores(properties, objects.targets, objects.predicted)
        return scores

    moved = (scenes._replace(slots=np.roll(scenes.slots, 1, axis=0)) for scenes in (learned, scored))
    return DownstreamScores(scores_of(learned, scored), scores_of(*moved), baseline, n_images, n_objects)


def _check(source, split, kinds):
    """Raises unless a split's scenes hold what is needed; nothing is read."""
    check_holds(source, _READS, split)
    n_columns = source.whole(split).element_spec["factors"].shape[-1]
    if n_columns != len(kinds) + 1:
        raise UserError(
            f"the factors have {n_columns} columns, but the data set has {len(kinds)} and visibility: choose "
            "the --dataset that the file belongs to."
        )
