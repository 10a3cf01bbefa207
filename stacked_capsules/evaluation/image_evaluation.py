"""Scores an image autoencoder: linear probes and unsupervised classification (paper section 3.2)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from discovery import Batch, DataSource, TrainableModel
from stacked_capsules.evaluation.clustering import fit_cluster_classifier
from stacked_capsules.evaluation.collect import collect, compiled_inference

SPLITS = ("train", "valid")
#: What is classified: prior presence of each object capsule, or the posterior mass that it explains.
FEATURES = ("prior", "posterior")
#: What they are compared with: clusters of the images themselves, of this many per set, to save time.
BASELINE, N_BASELINE = "pixels", 10_000


class ImageEvaluation(NamedTuple):
    """The results of evaluating an image model.

    Attributes:
        scores: for JSON: n_examples {split}, linear {feature: {split}} or None without probes, unsupervised
            {refit, transfer: {feature or "pixels": {split}}} and n_pixel_examples {split}, both None without
            labels; accuracies in [0, 1], None where a set has fewer examples than there are clusters.
        collected: split -> arrays "prior" [N, O], "posterior" [N, O], and, where they exist, "label" [N],
            "prior_class" and "posterior_class" [N].
    """

    scores: dict[str, Any]
    collected: dict[str, dict[str, np.ndarray]]


def evaluate_images(
    model: TrainableModel, source: DataSource, n_classes: int = 10, seed: int = 0
) -> ImageEvaluation:
    """Runs the model over both whole sets and scores its capsule presences, and pixels as a baseline.

    Args:
        model: returns the outputs of an image autoencoder.
        source: the data.
        n_classes: number of labels, and of clusters.
        seed: of k-means.

    Raises:
        UserError: a set is empty, a label out of range or a presence or pixel not finite.
    """
    infer = compiled_inference(model, presences_and_classes, seed)
    collected = {split: collect(infer, source.whole(split)) for split in SPLITS}
    scores = {
        "n_examples": {split: len(collected[split]["prior"]) for split in SPLITS},
        "linear": linear_accuracies(collected),
        "unsupervised": unsupervised_accuracies(collected, FEATURES, n_classes, seed),
        "n_pixel_examples": None,
    }
    if scores["unsupervised"] is not None:
        warn_of_few(scores["n_examples"], n_classes)
        pixels = {split: first_pixels(source.whole(split)) for split in SPLITS}
        of_pixels = unsupervised_accuracies(pixels, (BASELINE,), n_classes, seed)
        for protocol, accuracies in scores["unsupervised"].items():
            accuracies |= of_pixels[protocol]
        scores["n_pixel_examples"] = {split: len(pixels[split][BASELINE]) for split in SPLITS}
    return ImageEvaluation(scores, collected)


def warn_of_few(n_examples: Mapping[str, int], n_classes: int) -> None:
    """Warns of sets that have fewer examples than clusters."""
    for split, n in n_examples.items():
        if n < n_classes:
            warnings.warn(
                f"k-means: {n} {split} examples cannot form {n_classes} clusters, so there is no such score; "
                "evaluate on a larger set",
                stacklevel=3,
            )


def presences_and_classes(batch: Batch, outputs: Any) -> dict[str, tf.Tensor]:
    """Picks what is scored from a batch and the outputs of an image autoencoder."""
    picked = {
        "prior": outputs.caps_presence_prob,  # [B, O]
        "posterior": outputs.mass_explained_by_capsule,  # [B, O]
    }
    if "label" in batch:
        picked["label"] = batch["label"]  # [B]
        if outputs.prior_class_logits is not None:
            picked["prior_class"] = tf.argmax(outputs.prior_class_logits, -1)  # [B]
            picked["posterior_class"] = tf.argmax(outputs.posterior_class_logits, -1)  # [B]
    return picked


def first_pixels(batches: Iterable[Batch]) -> dict[str, np.ndarray]:
    """Returns the first images of a set, as rows "pixels" [N, H * W * C], and their "label" [N]."""
    kept, n_kept = [], 0
    for batch in batches:
        images = batch["image"].numpy()  # [B, H, W, C]
        kept.append({BASELINE: images.reshape(len(images), -1), "label": batch["label"].numpy()})
        n_kept += len(images)
        if n_kept >= N_BASELINE:
            break
    return {name: np.concatenate([rows[name] for rows in kept])[:N_BASELINE] for name in kept[0]}


def linear_accuracies(collected: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, float]] | None:
    """Scores the probes that were trained along with the model; None where there are none."""
    if any("prior_class" not in arrays for arrays in collected.values()):
        return None
    return {
        feature: {
            split: float(np.mean(arrays[f"{feature}_class"] == arrays["label"]))
            for split, arrays in collected.items()
        }
        for feature in FEATURES
    }


def unsupervised_accuracies(
    collected: dict[str, dict[str, np.ndarray]], features: Sequence[str], n_classes: int, seed: int = 0
) -> dict[str, dict[str, dict[str, float | None]]] | None:
    """Scores clusters of each of the features, in both protocols; None without labels.

    `refit` clusters the set that is scored, `transfer` scores the clusters and classes of the training set.
    If a set has fewer examples than clusters, the scores of its clusters are None.
    """
    if any("label" not in arrays for arrays in collected.values()):
        return None
    sizes = {split: len(arrays["label"]) for split, arrays in collected.items()}
    scores = {"refit": {}, "transfer": {}}
    for feature in features:
        fitted = {
            split: fit_cluster_classifier(arrays[feature], arrays["label"], n_classes, seed)
            for split, arrays in collected.items()
            if sizes[split] >= n_classes
        }
        scores["refit"][feature] = {
            split: fitted[split].accuracy if split in fitted else None for split in collected
        }
        scores["transfer"][feature] = {
            split: fitted["train"].transfer(arrays[feature], arrays["label"]) if "train" in fitted else None
            for split, arrays in collected.items()
        }
    return scores
