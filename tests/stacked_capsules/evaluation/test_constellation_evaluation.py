from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from discovery import TrainableModel
from stacked_capsules.evaluation.constellation_evaluation import evaluate_constellations


class Votes(NamedTuple):
    is_from_capsule: tf.Tensor


class Outputs(NamedTuple):
    votes: Votes
    caps_presence_prob: tf.Tensor


class FirstCoordinate(TrainableModel):
    """A point's capsule, of four, is its first coordinate."""

    def inputs_of(self, batch):
        return batch["corners"], batch["presence"]

    def call(self, inputs, training=False, seed=None):
        corners, _ = inputs
        capsule = tf.cast(corners[..., 0], tf.int32)  # [B, P]
        return Outputs(Votes(capsule), tf.ones([tf.shape(corners)[0], 4]))


def batches(capsule, pattern, presence, batch_size):
    corners = np.stack([capsule, np.zeros_like(capsule)], -1).astype(np.float32)
    arrays = {"corners": corners, "presence": np.float32(presence), "pattern_id": np.asarray(pattern)}
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_scores_by_hand(batch_size):
    capsule = [[3, 3, 1], [1, 1, 1], [0, 0, 0]]
    pattern = [[0, 0, 1], [0, 1, 1], [0, 1, 2]]
    presence = [[1, 1, 1], [1, 1, 0], [0, 0, 0]]
    scores = evaluate_constellations(
        FirstCoordinate(), batches(capsule, pattern, presence, batch_size).repeat(), n_examples=3
    )
    assert scores == {
        "n_examples": 3,
        "segmentation_accuracy": 4 / 5,
        "one_capsule_accuracy": 3 / 5,
        "points_per_capsule": pytest.approx([0.0, 1.0, 0.0, 2 / 3]),
    }
