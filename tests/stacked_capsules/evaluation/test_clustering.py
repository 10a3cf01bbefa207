import itertools
import warnings

import numpy as np
import pytest
from sklearn.cluster import KMeans

from discovery import UserError
from stacked_capsules.evaluation.clustering import bipartite_match, contingency_table, fit_cluster_classifier


def blobs(rng, labels, n_dims=5, spread=0.05):
    centers = 3.0 * np.eye(n_dims)[:, :n_dims]  # [classes, D]
    return (centers[labels] + spread * rng.standard_normal((len(labels), n_dims))).astype(np.float32)


def test_matching_by_hand():
    #      gt 0: 1 1 4    gt 7: 4 4 1
    matching = bipartite_match(np.array([1, 1, 4, 4, 4, 1]), np.array([0, 0, 0, 7, 7, 7]))
    np.testing.assert_array_equal(matching.gt_ids, [0, 7])
    np.testing.assert_array_equal(matching.pred_ids, [1, 4])
    assert matching.num_correct == 4.0


def test_presence_weighs_elements():
    pred, gt = np.array([1, 1, 4, 4, 4, 1]), np.array([0, 0, 0, 7, 7, 7])
    table, _, _ = contingency_table(pred, gt, np.array([0.5, 0.0, 1.0, 0.0, 0.25, 2.0]))
    np.testing.assert_array_equal(table, [[0.5, 1.0], [2.0, 0.25]])
    assert bipartite_match(pred, gt, np.array([0.5, 0.0, 1.0, 0.0, 0.25, 2.0])).num_correct == 3.0


@pytest.mark.parametrize("pred_ids", [(0, 1, 2), (2, 5, 9, -1), (3,), (0, 2)])
def test_matching_equals_the_best_of_all_injective_maps(rng, pred_ids):
    gt_ids = (0, 3, 4)
    for _ in range(20):
        gt, pred = rng.choice(gt_ids, 12), rng.choice(pred_ids, 12)
        slots = (*pred_ids, None, None, None)
        best = max(
            sum((pred[gt == g] == p).sum() for g, p in zip(gt_ids, chosen, strict=True) if p is not None)
            for chosen in itertools.permutations(slots, len(gt_ids))
        )
        assert bipartite_match(pred, gt).num_correct == best


def test_gaps_in_ids_change_nothing(rng):
    gt, pred = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    dense = bipartite_match(pred, gt)
    spread = bipartite_match(pred * 7 + 3, gt * 5 - 2)
    assert spread.num_correct == dense.num_correct
    np.testing.assert_array_equal(spread.pred_ids, dense.pred_ids * 7 + 3)
    np.testing.assert_array_equal(spread.gt_ids, dense.gt_ids * 5 - 2)


def test_separable_clusters_are_all_right_and_transfer(rng):
    train, valid = rng.permutation(np.arange(60) % 5), rng.permutation(np.arange(40) % 5)
    classifier = fit_cluster_classifier(blobs(rng, train), train, 5)
    assert classifier.accuracy == 1.0
    assert sorted(classifier.class_of_cluster) == list(range(5))
    assert classifier.transfer(blobs(rng, valid), valid) == 1.0


def test_refit_and_transfer_differ_where_the_sets_do(rng):
    labels = np.arange(60) % 3
    classifier = fit_cluster_classifier(blobs(rng, labels), labels, 3)
    shifted = blobs(rng, (labels + 1) % 3)  # the same groups under other names
    assert classifier.transfer(shifted, labels) == 0.0
    assert fit_cluster_classifier(shifted, labels, 3).accuracy == 1.0


def test_equals_kmeans_with_ten_starts_and_the_best_permutation(rng):
    features, labels = rng.random((80, 4)), rng.integers(0, 3, 80)
    clusters = KMeans(3, max_iter=1000, n_init=10, random_state=5).fit_predict(features)
    expected = max(np.mean(np.take(p, clusters) == labels) for p in itertools.permutations(range(3)))
    assert fit_cluster_classifier(features, labels, 3, seed=5).accuracy == pytest.approx(expected)


def test_seed_decides(rng):
    features, labels = rng.random((80, 4)), rng.integers(0, 6, 80)
    once, again = (fit_cluster_classifier(features, labels, 6, seed=3) for _ in range(2))
    np.testing.assert_array_equal(once.kmeans.cluster_centers_, again.kmeans.cluster_centers_)
    assert once.accuracy == again.accuracy


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_equal_presences_score_the_largest_class_without_a_warning(value):
    labels = np.array([0] * 6 + [1] * 3 + [2] * 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_cluster_classifier(np.full((10, 4), value, np.float32), labels, 3).accuracy == 0.6


def test_a_class_that_does_not_occur_is_no_error(rng):
    labels = np.arange(30) % 2  # of three classes
    assert fit_cluster_classifier(blobs(rng, labels), labels, 3).accuracy >= 0.5


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.zeros((4, 2)), np.arange(4), "4 examples cannot form 5 clusters"),
        (np.zeros((6, 2)), np.array([0, 1, 2, 3, 4, 5]), "labels range from 0 to 5, outside 0 ... 4"),
        (np.zeros((6, 2)), np.array([0, 1, 2, 3, 4, -1]), "labels range from -1 to 4, outside 0 ... 4"),
        (np.full((6, 2), np.nan), np.arange(6) % 5, "not finite"),
    ],
)
def test_bad_input(features, labels, message):
    with pytest.raises(UserError, match=message):
        fit_cluster_classifier(features, labels, 5)
