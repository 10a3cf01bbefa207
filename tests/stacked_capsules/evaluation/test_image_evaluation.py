import json
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from discovery import DataSource, TrainableModel
from stacked_capsules.evaluation import image_evaluation
from stacked_capsules.evaluation.image_evaluation import evaluate_images


class Outputs(NamedTuple):
    caps_presence_prob: tf.Tensor
    mass_explained_by_capsule: tf.Tensor
    prior_class_logits: tf.Tensor | None
    posterior_class_logits: tf.Tensor | None


class PixelCapsules(TrainableModel):
    """Its first capsules are the pixels of an image of one row; its posterior capsules forget pixel 0."""

    def __init__(self, probes=True):
        super().__init__()
        self.probes = probes
        self.blind = False

    def inputs_of(self, batch):
        return batch["image"]

    def call(self, images, training=False, seed=None):
        prior = images[:, 0, :, 0] * (0.0 if self.blind else 1.0)  # [B, O]
        posterior = prior * tf.constant([0.0, 1.0, 1.0])
        if not self.probes:
            return Outputs(prior, posterior, None, None)
        return Outputs(prior, posterior, prior, posterior)


def source_of(sets, batch_size=4):
    """sets: split -> labels (or None) and the pixel that is lit in each image."""

    def whole(split):
        labels, lit = sets[split]
        images = np.eye(3, dtype=np.float32)[lit][:, None, :, None]  # [N, 1, 3, 1]
        batch = {"image": images} | ({} if labels is None else {"label": np.asarray(labels)})
        return tf.data.Dataset.from_tensor_slices(batch).batch(batch_size)

    return DataSource(train=None, valid=None, whole=whole)


def test_scores_by_hand():
    train = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    valid = [0, 1, 1, 2, 2]
    # In the valid set pixels 0 and 1 trade places: probes and transferred clusters are wrong, refitted right.
    swapped = [1, 0, 0, 2, 2]
    scores, collected = evaluate_images(
        PixelCapsules(), source_of({"train": (train, train), "valid": (valid, swapped)}), n_classes=3
    )
    assert scores == {
        "n_examples": {"train": 9, "valid": 5},
        "linear": {
            "prior": {"train": 1.0, "valid": 2 / 5},
            "posterior": {"train": 1.0, "valid": 2 / 5},
        },
        "unsupervised": {
            "refit": {
                "prior": {"train": 1.0, "valid": 1.0},
                "posterior": {"train": 1.0, "valid": 1.0},
                "pixels": {"train": 1.0, "valid": 1.0},
            },
            "transfer": {
                "prior": {"train": 1.0, "valid": 2 / 5},
                "posterior": {"train": 1.0, "valid": 2 / 5},
                "pixels": {"train": 1.0, "valid": 2 / 5},
            },
        },
        "n_pixel_examples": {"train": 9, "valid": 5},
    }
    assert json.loads(json.dumps(scores)) == scores
    np.testing.assert_array_equal(collected["valid"]["label"], valid)
    np.testing.assert_array_equal(collected["valid"]["posterior"][1], [0.0, 0.0, 0.0])


def test_pixels_are_scored_whatever_the_model_says_of_them(monkeypatch):
    """On so many images of each set; the last batch is cut."""
    monkeypatch.setattr(image_evaluation, "N_BASELINE", 6)
    lit = [0, 1, 2, 0, 1, 2, 0, 0, 0]
    labels = [0, 1, 2, 0, 1, 1, 0, 1, 2]
    model = PixelCapsules()
    model.blind = True
    scores = evaluate_images(model, source_of(dict.fromkeys(("train", "valid"), (labels, lit))), 3).scores
    assert scores["n_examples"] == {"train": 9, "valid": 9}
    assert scores["n_pixel_examples"] == {"train": 6, "valid": 6}
    for accuracies in scores["unsupervised"].values():
        assert accuracies["pixels"] == {"train": 5 / 6, "valid": 5 / 6}  # the sixth is of another class
        assert accuracies["prior"]["valid"] == 4 / 9  # one cluster, of the most frequent class


@pytest.mark.parametrize("batch_size", [1, 5, 9, 20])
def test_batching_changes_nothing(batch_size):
    train, valid = [0, 1, 2, 0, 1, 2, 0, 1, 2], [0, 1, 2, 2, 2]
    sets = {"train": (train, [0, 1, 2, 0, 1, 2, 1, 2, 0]), "valid": (valid, [0, 1, 2, 1, 2])}
    whole = evaluate_images(PixelCapsules(), source_of(sets, 100), n_classes=3).scores
    assert evaluate_images(PixelCapsules(), source_of(sets, batch_size), n_classes=3).scores == whole


def test_without_labels_or_probes_there_is_no_score_and_no_error():
    lit = [0, 1, 2, 0]
    scores = evaluate_images(
        PixelCapsules(probes=False), source_of({"train": (None, lit), "valid": (None, lit)}), n_classes=3
    ).scores
    assert (scores["linear"], scores["unsupervised"], scores["n_pixel_examples"]) == (None, None, None)
    scores = evaluate_images(
        PixelCapsules(probes=False), source_of({"train": (lit, lit), "valid": (lit, lit)}), n_classes=3
    ).scores
    assert scores["linear"] is None
    assert scores["unsupervised"]["refit"]["prior"]["valid"] == 1.0
