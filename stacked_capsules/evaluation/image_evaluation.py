"""Scores an image autoencoder: linear probes and unsupervised classification (paper section 3.2)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from protocols import Batch, DataSource, TrainableModel
from stacked_capsules.evaluation.clustering import fit_cluster_classifier
from stacked_capsules.evaluation.collect import collect, compiled_inference

SPLITS = ("train", "valid")
#: What is classified: prior presence of each object capsule, or the posterior mass that it explains.
FEATURES = ("prior", "posterior")


class ImageEvaluation(NamedTuple):
    """What the evaluation of an image model gives.

    Attributes:
        scores: for JSON: n_examples {split}, linear {feature: {split}} or None without probes, unsupervised
            {refit, transfer: {feature: {split}}} or None without labels; accuracies in [0, 1].
        collected: split -> arrays "prior" [N, O], "posterior" [N, O], and, where they exist, "label" [N],
            "prior_class" and "posterior_class" [N].
    """

    scores: dict[str, Any]
    collected: dict[str, dict[str, np.ndarray]]


def evaluate_images(
    model: TrainableModel, source: DataSource, n_classes: int = 10, seed: int = 0
) -> ImageEvaluation:
    """Runs the model over the whole of both sets and scores its capsule presences.

    Args:
        model: gives the outputs of an image autoencoder.
        source: the data.
        n_classes: number of labels, and of clusters.
        seed: of k-means.

    Raises:
        UserError: a set is too small, a label out of range or a presence not finite.
    """
    infer = compiled_inference(model, presences_and_classes, seed)
    collected = {split: collect(infer, source.whole(split)) for split in SPLITS}
    scores = {
        "n_examples": {split: len(collected[split]["prior"]) for split in SPLITS},
        "linear": linear_accuracies(collected),
        "unsupervised": unsupervised_accuracies(collected, n_classes, seed),
    }
    return ImageEvaluation(scores, collected)


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
    collected: dict[str, dict[str, np.ndarray]], n_classes: int, seed: int = 0
) -> dict[str, dict[str, dict[str, float]]] | None:
    """Scores clusters of the presences, in both protocols; None without labels.

    `refit` clusters the set that is scored, `transfer` scores the clusters and classes of the training set.
    """
    if any("label" not in arrays for arrays in collected.values()):
        return None
    scores = {"refit": {}, "transfer": {}}
    for feature in FEATURES:
        fitted = {
            split: fit_cluster_classifier(arrays[feature], arrays["label"], n_classes, seed)
            for split, arrays in collected.items()
        }
        scores["refit"][feature] = {split: fitted[split].accuracy for split in collected}
        scores["transfer"][feature] = {
            split: fitted["train"].transfer(arrays[feature], arrays["label"])
            for split, arrays in collected.items()
        }
    return scores
