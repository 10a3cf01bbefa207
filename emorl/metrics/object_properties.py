"""Properties of objects as targets of a prediction, the loss of a prediction, and its scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from sklearn.metrics import r2_score


class Property(NamedTuple):
    """How one column of factors becomes columns of targets and predictions.

    Attributes:
        columns: Its places among the P columns.
        classes: float32 [C], ascending; None: it is a number.
        mean: Of a number, over the objects that it was measured on.
        std: Likewise; 1 where these are all alike.
    """

    columns: slice
    classes: np.ndarray | None
    mean: float = 0.0
    std: float = 1.0


def measure_properties(factors: np.ndarray, kinds: Sequence[str]) -> tuple[Property, ...]:
    """Finds the classes, means and standard deviations of objects to learn from.

    Args:
        factors: float [M, F].
        kinds: "continuous" or "discrete" for each of the F.
    """
    properties, first = [], 0
    for values, kind in zip(factors.T, kinds, strict=True):
        if kind == "discrete":
            classes = np.unique(values)  # [C]
            properties.append(Property(slice(first, first + len(classes)), classes))
        else:
            mean = values.mean(dtype=np.float64)
            std = values.std(dtype=np.float64) if np.ptp(values) else 1.0
            properties.append(Property(slice(first, first + 1), None, float(mean), float(std)))
        first = properties[-1].columns.stop
    return tuple(properties)


def encode_properties(properties: Sequence[Property], factors: np.ndarray) -> np.ndarray:
    """Writes factors as targets: standardized numbers, and one column for each class.

    Args:
        properties: The F of them.
        factors: float [..., F].

    Returns:
        float32 [..., P]; a value that is none of the classes has zeros in all their columns.
    """
    columns = []
    for known, values in zip(properties, np.moveaxis(factors, -1, 0), strict=True):
        if known.classes is None:
            columns.append((values[..., None] - known.mean) / (known.std + 1e-6))  # [..., 1]
        else:
            columns.append(values[..., None] == known.classes)  # [..., C]
    return np.concatenate(columns, axis=-1, dtype=np.float32)


def pairwise_loss(properties: Sequence[Property], targets: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """The loss of each slot's prediction for each object: float32 [B, E, K].

    It is the sum over properties of the squared error of standardized numbers and of the cross-entropy of
    classes, all alike in weight (Dittadi et al., ICML 2022).

    Args:
        properties: What the P columns are.
        targets: float32 [B, E, P].
        predicted: float32 [B, K, P]; logits for classes.
    """
    loss = tf.zeros([1, 1, 1])
    for known in properties:
        true, guess = targets[..., known.columns], predicted[..., known.columns]  # [B, E, C], [B, K, C]
        if known.classes is None:
            loss += tf.math.squared_difference(true, tf.linalg.matrix_transpose(guess))  # [B, E, K]
        else:
            loss -= tf.matmul(true, tf.nn.log_softmax(guess), transpose_b=True)  # [B, E, K]
    return loss


def property_scores(properties: Sequence[Property], targets: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Scores predictions of M objects: R^2 of each number, accuracy of each class: float64 [F].

    R^2 is NaN where all true values are alike: there is no variance to explain.

    Args:
        properties: The F of them.
        targets: float [M, P], M > 0.
        predicted: float [M, P].
    """
    scores = []
    for known in properties:
        true, guess = targets[:, known.columns], predicted[:, known.columns]  # [M, C] both
        if known.classes is None:
            alike = np.ptp(true) == 0
            scores.append(np.nan if alike else r2_score(true.astype(np.float64), guess.astype(np.float64)))
        else:
            hit = true[np.arange(len(true)), guess.argmax(axis=1)]  # [M], 0 of a class that is not known
            scores.append(hit.mean(dtype=np.float64))
    return np.array(scores)
