import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score

from emorl.metrics.object_properties import (
    encode_properties,
    measure_properties,
    pairwise_loss,
    property_scores,
)

KINDS = ("continuous", "discrete", "continuous")
FACTORS = np.array([[3.0, 7, 1], [5, 2, 1], [7, 7, 4]])


def test_targets_are_standardized_numbers_and_a_column_for_each_class():
    properties = measure_properties(FACTORS, KINDS)
    targets = encode_properties(properties, np.array([[[5.0, 7, 1], [5, 3, 1]]]))  # 3 is none of the classes
    numbers = (1.0 - 2.0) / np.std([1, 1, 4])
    np.testing.assert_allclose(targets, [[[0, 0, 1, numbers], [0, 0, 0, numbers]]], rtol=1e-5, atol=1e-6)


def test_loss_of_each_pair():
    properties = measure_properties(FACTORS, KINDS)
    rng = np.random.default_rng(0)
    targets = encode_properties(properties, FACTORS)[None]  # [1, 3, 4]
    predicted = rng.normal(size=[1, 5, 4]).astype(np.float32)
    loss = pairwise_loss(properties, targets, predicted)
    assert loss.shape == (1, 3, 5)
    for entity, slot in np.ndindex(3, 5):
        true, guess = targets[0, entity], predicted[0, slot].astype(np.float64)
        of_classes = np.exp(guess[1:3]) / np.exp(guess[1:3]).sum()
        expected = (true[0] - guess[0]) ** 2 + (true[3] - guess[3]) ** 2
        expected += log_loss([FACTORS[entity, 1]], [of_classes], labels=[2, 7])
        assert float(loss[0, entity, slot]) == pytest.approx(expected, rel=1e-5)


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.normal(3, 9, 50), rng.choice([2, 7, 8], 50), rng.uniform(size=50)], axis=1)
    properties = measure_properties(factors, KINDS)
    targets = encode_properties(properties, factors)
    predicted = targets + rng.normal(size=targets.shape).astype(np.float32)
    scores = property_scores(properties, targets, predicted)
    x = predicted[:, 0] * factors[:, 0].std() + factors[:, 0].mean()  # in the factor's own unit
    color = np.array([2, 7, 8])[predicted[:, 1:4].argmax(axis=1)]
    expected = [r2_score(factors[:, 0], x), accuracy_score(factors[:, 1], color)]
    np.testing.assert_allclose(scores[:2], expected, rtol=1e-4)


def test_mean_and_most_frequent_class_are_the_baseline():
    properties = measure_properties(FACTORS, KINDS)
    targets = encode_properties(properties, FACTORS)
    scores = property_scores(properties, targets, np.tile(targets.mean(axis=0), [3, 1]))
    np.testing.assert_allclose(scores, [0, 2 / 3, 0], atol=1e-6)


def test_what_all_objects_have_alike_has_no_r2_and_is_not_blown_up():
    factors = np.array([[0.1, 7, 1], [0.1, 2, 1], [0.1, 7, 4]], np.float32)
    properties = measure_properties(factors, KINDS)
    targets = encode_properties(properties, factors)
    for predicted in (targets, np.tile(targets.mean(axis=0), [3, 1])):
        scores = property_scores(properties, targets, predicted)
        np.testing.assert_array_equal(np.isnan(scores), [True, False, False])
    another = encode_properties(properties, np.array([[2.1, 7, 1]], np.float32))
    assert another[0, 0] == pytest.approx(2, rel=1e-5)
