import itertools

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules.evaluation.segmentation import segmentation_accuracy
from stacked_capsules.segmentation_metric import correctly_grouped


def test_by_hand():
    gt = np.array([[0, 0, 1, 1], [0, 0, 0, 2]])
    pred = np.array([[2, 2, 0, 2], [1, 1, 0, 0]])
    # First: 2 is pattern 0, 0 is 1: three of four. Second: 1 is pattern 0, 0 is 2: three of four.
    assert segmentation_accuracy(pred, gt) == 6 / 8
    # Without the first example's last point and the second's first and third: three of three and two of two.
    presence = np.array([[1, 1, 1, 0], [0, 1, 0, 1]], np.float32)
    assert segmentation_accuracy(pred, gt, presence) == 1.0


def test_gaps_in_ids_change_nothing(rng):
    gt, pred = rng.integers(0, 3, (20, 11)), rng.integers(0, 3, (20, 11))
    presence = rng.integers(0, 2, (20, 11)).astype(np.float32)
    dense = segmentation_accuracy(pred, gt, presence)
    assert segmentation_accuracy(pred * 4 + 9, gt * 3 + 1, presence) == dense


def test_ids_of_absent_points_change_nothing(rng):
    gt, pred = rng.integers(0, 3, (20, 11)), rng.integers(0, 3, (20, 11))
    presence = rng.integers(0, 2, (20, 11))
    other = np.where(presence, pred, rng.integers(-5, 20, (20, 11)))
    assert segmentation_accuracy(other, gt, presence) == segmentation_accuracy(pred, gt, presence)


def test_equals_the_best_of_all_maps(rng):
    gt, pred = rng.integers(0, 3, (30, 11)), rng.integers(0, 4, (30, 11))
    presence = rng.integers(0, 2, (30, 11))
    correct = sum(
        max(((np.take(p, g) == c) * w).sum() for p in itertools.permutations(range(4), 3))
        for c, g, w in zip(pred, gt, presence, strict=True)
    )
    assert segmentation_accuracy(pred, gt, presence) == pytest.approx(correct / presence.sum())


def test_equals_the_metric_of_training(rng):
    gt, pred = rng.integers(0, 3, (50, 11)), rng.integers(0, 4, (50, 11))
    presence = rng.integers(0, 2, (50, 11)).astype(np.float32)
    correct = correctly_grouped(*map(tf.constant, (pred, gt, presence)), n_capsules=4)  # [50]
    assert segmentation_accuracy(pred, gt, presence) == pytest.approx(correct.numpy().sum() / presence.sum())


def test_an_empty_example_counts_nothing(rng):
    gt, pred = rng.integers(0, 3, (2, 11)), rng.integers(0, 3, (2, 11))
    presence = np.array([[1] * 11, [0] * 11])
    assert segmentation_accuracy(pred, gt, presence) == segmentation_accuracy(pred[:1], gt[:1])


def test_bad_input():
    points = np.zeros((2, 3), int)
    with pytest.raises(UserError, match="no point is present"):
        segmentation_accuracy(points, points, points)
    with pytest.raises(ValueError, match="must be"):
        segmentation_accuracy(points, points[:, :2])
