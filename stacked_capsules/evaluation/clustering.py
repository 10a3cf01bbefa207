"""Unsupervised accuracy (paper section 3.2): k-means on capsule presences, clusters matched to classes."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from discovery import UserError


class ClusterClassifier(NamedTuple):
    """Clusters of a set's features, each with its matched class.

    Attributes:
        kmeans: the fitted clusters.
        class_of_cluster: int64 [n_classes], a permutation of the classes.
        accuracy: in [0, 1], on the set that the clusters were fitted on (the original's number, "refit").
    """

    kmeans: KMeans
    class_of_cluster: np.ndarray
    accuracy: float

    def transfer(self, features: np.ndarray, labels: np.ndarray) -> float:
        """Scores another set, [N, D] and [N], with these clusters and their classes; in [0, 1]."""
        features, labels = checked(features, labels, len(self.class_of_cluster))
        return float(np.mean(self.class_of_cluster[self.kmeans.predict(features)] == labels))


def fit_cluster_classifier(
    features: np.ndarray, labels: np.ndarray, n_classes: int, seed: int = 0
) -> ClusterClassifier:
    """Clusters features into as many groups as there are classes, and matches groups to classes.

    Args:
        features: [N, D], for example capsule presences.
        labels: int [N], in [0, n_classes).
        n_classes: number of classes and of clusters.
        seed: of the ten restarts of k-means.

    Raises:
        UserError: there are fewer examples than classes, a label is out of range or a feature not finite.
    """
    features, labels = checked(features, labels, n_classes)
    if len(features) < n_classes:
        raise UserError(
            f"k-means: {len(features)} examples cannot form {n_classes} clusters; evaluate on a larger set"
        )
    with warnings.catch_warnings():
        # A collapsed model gives fewer distinct points than clusters: a low score, not an error.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans = KMeans(n_classes, max_iter=1000, n_init=10, random_state=seed).fit(features)
    clusters = kmeans.predict(features)  # [N]
    matching = bipartite_match(clusters, labels, n_classes=n_classes)
    class_of_cluster = np.empty(n_classes, np.int64)  # [n_classes]
    class_of_cluster[matching.pred_ids] = matching.gt_ids
    return ClusterClassifier(kmeans, class_of_cluster, matching.num_correct / len(labels))


class Matching(NamedTuple):
    """Which predicted id corresponds to which true one.

    Attributes:
        gt_ids: [M], the matched true ids in ascending order; M is the smaller of the two numbers of ids.
        pred_ids: [M], the predicted id matched to each.
        num_correct: how many elements (or how much presence) the matching explains.
    """

    gt_ids: np.ndarray
    pred_ids: np.ndarray
    num_correct: float


def bipartite_match(
    pred: np.ndarray, gt: np.ndarray, presence: np.ndarray | None = None, n_classes: int | None = None
) -> Matching:
    """Finds the one-to-one matching of predicted to true ids that agrees on the most elements.

    Args:
        pred: int [N], any ids.
        gt: int [N], any ids.
        presence: [N], how much each element counts; by default 1.
        n_classes: ids are 0 ... n_classes - 1, whether they occur or not; by default, those that occur.
    """
    table, gt_ids, pred_ids = contingency_table(pred, gt, presence, n_classes)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return Matching(gt_ids[rows], pred_ids[columns], float(table[rows, columns].sum()))


def contingency_table(
    pred: np.ndarray, gt: np.ndarray, presence: np.ndarray | None = None, n_classes: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts how often each pair of ids occurs; arguments as for `bipartite_match`.

    Returns:
        The table, float64 [G, K], and the ids of its rows [G] (true) and columns [K] (predicted), ascending.
    """
    weights = np.ones(len(gt)) if presence is None else presence
    gt_ids, gt_index = numbered(gt, n_classes)
    pred_ids, pred_index = numbered(pred, n_classes)
    pair = gt_index * len(pred_ids) + pred_index  # [N]
    table = np.bincount(pair, weights, len(gt_ids) * len(pred_ids))  # [G * K]
    return table.reshape(len(gt_ids), len(pred_ids)), gt_ids, pred_ids


def numbered(ids: np.ndarray, n_classes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ids [U] in ascending order and the position [N] of each element's id among them."""
    if n_classes is None:
        return np.unique(ids, return_inverse=True)
    ids = np.asarray(ids)
    if ids.size and not 0 <= ids.min() <= ids.max() < n_classes:
        raise UserError(
            f"labels range from {ids.min()} to {ids.max()}, outside 0 ... {n_classes - 1}; check the data set"
        )
    return np.arange(n_classes), ids


def checked(features: np.ndarray, labels: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns features [N, D] and labels [N] as arrays that k-means and the matching accept."""
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(f"features must be [N, D] and labels [N], not {features.shape} and {labels.shape}")
    if not np.isfinite(features).all():
        raise UserError("features are not finite (NaN or inf): check the data, or use an earlier snapshot")
    numbered(labels, n_classes)
    return features, labels
