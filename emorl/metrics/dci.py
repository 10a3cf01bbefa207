"""Disentanglement, completeness and informativeness (Eastwood and Williams, ICLR 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from discovery import UserError


class DCI(NamedTuple):
    """Scores of a representation; all except informativeness are in [0, 1].

    Attributes:
        disentanglement: Whether each code predicts only one factor.
        completeness: Whether each factor is predicted by only one code.
        informativeness_train: Mean over factors: accuracy if discrete, R^2 if continuous.
        informativeness_test: The same for held-out codes, to which the trees were not fitted.
        informativeness_per_factor: float64 [F], of the test codes.
        importance: float64 [D, F], how much each code is used to predict each factor.
    """

    disentanglement: float
    completeness: float
    informativeness_train: float
    informativeness_test: float
    informativeness_per_factor: np.ndarray
    importance: np.ndarray


def dci(
    codes_train: np.ndarray,
    factors_train: np.ndarray,
    codes_test: np.ndarray,
    factors_test: np.ndarray,
    kinds: Sequence[str],
    compat: bool = False,
    seed: int = 0,
) -> DCI:
    """Fits gradient-boosted trees from codes to each factor, and scores how their importances spread.

    Args:
        codes_train: float [n, D].
        factors_train: float [n, F].
        codes_test: float [m, D].
        factors_test: float [m, F].
        kinds: "continuous" or "discrete" for each factor.
        compat: Compute it as the original does (E3): the first factor's kind of estimator is used for all,
            its random state continues from factor to factor, and informativeness is how often a prediction
            equals the factor bit for bit.
        seed: Seed of the trees.

    Raises:
        UserError: NaN or infinity, shapes that do not match, or `compat` with a first factor that is
            discrete and a later one that is not.
    """
    _check(codes_train, factors_train, codes_test, factors_test, kinds)
    if compat and kinds[0] == "discrete" and "continuous" in kinds:
        raise UserError("--dci_compat cannot classify continuous factors, as the original cannot: drop it.")
    shared_random = np.random.RandomState(seed)
    columns, train, test = [], [], []
    for factor, kind in enumerate(kinds):
        model = _estimator(kinds[0] if compat else kind, shared_random if compat else seed)
        y_train, y_test = factors_train[:, factor], factors_test[:, factor]
        if kind == "discrete" and not compat:  # classes by number: classifiers refuse fractions
            classes = np.unique([*y_train, *y_test])
            y_train, y_test = np.searchsorted(classes, y_train), np.searchsorted(classes, y_test)
        if len(np.unique(y_train)) == 1:  # there is nothing to learn, and trees refuse to
            columns.append(np.zeros(codes_train.shape[1]))
            train.append(1.0)
            test.append(float(np.mean(y_test == y_train[0])))
            continue
        model.fit(codes_train, y_train)
        columns.append(np.abs(model.feature_importances_))
        for scores, x, y in ((train, codes_train, y_train), (test, codes_test, y_test)):
            scores.append(float(np.mean(model.predict(x) == y)) if compat else model.score(x, y))
    importance = np.stack(columns, axis=1)  # [D, F]
    return DCI(
        disentanglement(importance),
        completeness(importance),
        float(np.mean(train)),
        float(np.mean(test)),
        np.array(test),
        importance,
    )


def disentanglement(importance: np.ndarray) -> float:
    """One minus the entropy over factors of each code, weighted by importance: [D, F] -> scalar."""
    per_code = 1.0 - scipy.stats.entropy(importance.T + 1e-11, base=importance.shape[1])  # [D]
    return _weighted(per_code, importance.sum(axis=1))


def completeness(importance: np.ndarray) -> float:
    """One minus the entropy over codes of each factor, weighted by importance: [D, F] -> scalar."""
    per_factor = 1.0 - scipy.stats.entropy(importance + 1e-11, base=importance.shape[0])  # [F]
    return _weighted(per_factor, importance.sum(axis=0))


def _weighted(scores, weights):
    weights = weights if weights.sum() else np.ones_like(weights)
    return float(np.sum(scores * weights / weights.sum()))


def _estimator(kind, random_state):
    make = GradientBoostingClassifier if kind == "discrete" else GradientBoostingRegressor
    return make(random_state=random_state)


def _check(codes_train, factors_train, codes_test, factors_test, kinds):
    if set(kinds) - {"discrete", "continuous"}:
        raise UserError(f"DCI: kinds of factors are discrete or continuous, not {sorted(set(kinds))}.")
    for name, codes, factors in (("train", codes_train, factors_train), ("test", codes_test, factors_test)):
        if codes.ndim != 2 or factors.shape != (len(codes), len(kinds)) or not len(codes):
            raise UserError(
                f"DCI: {name} codes {codes.shape} and factors {factors.shape} do not fit {len(kinds)} kinds; "
                "were any objects matched? Evaluate on more images."
            )
        if not (np.isfinite(codes).all() and np.isfinite(factors).all()):
            raise UserError(
                f"DCI: {name} codes or factors contain NaN or infinity; is the model's training broken?"
            )
