import numpy as np
import pytest

from discovery import UserError
from emorl.metrics.dci import completeness, dci, disentanglement

KINDS = ("continuous", "discrete")


def data(n=150, seed=0):
    random = np.random.default_rng(seed)
    codes = random.standard_normal((n, 3))
    factors = np.stack([codes[:, 0], codes[:, 2] > 0], axis=1)
    return codes, factors


def test_a_disentangled_representation():
    scores = dci(*data(seed=0), *data(seed=1), KINDS)
    assert scores.disentanglement > 0.9
    assert scores.completeness > 0.9
    assert scores.informativeness_per_factor.min() > 0.9
    np.testing.assert_array_equal(scores.importance.argmax(axis=0), [0, 2])
    again = dci(*data(seed=0), *data(seed=1), KINDS)
    np.testing.assert_array_equal(scores.importance, again.importance)


def test_matrices_worked_by_hand():
    assert disentanglement(np.eye(3)) == pytest.approx(1.0)
    assert completeness(np.ones((4, 3))) == pytest.approx(0.0)
    half = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    assert disentanglement(half) == pytest.approx((2 * 0.5 + 1 * 1.0) / 3)  # log_4 2 = 1/2
    assert completeness(half) == pytest.approx(1.0)


def test_a_factor_that_never_changes():
    codes, factors = data()
    factors[:, 1] = 2
    scores = dci(codes, factors, codes, factors, KINDS)
    assert scores.informativeness_per_factor[1] == 1
    assert (scores.importance[:, 1] == 0).all()


def test_classes_may_be_fractions():
    sets = [data(seed=seed) for seed in (0, 1)]
    whole = dci(*sets[0], *sets[1], KINDS)
    fractions = [(codes, factors * [1, 0.5]) for codes, factors in sets]
    scores = dci(*fractions[0], *fractions[1], KINDS)
    np.testing.assert_array_equal(scores.importance, whole.importance)
    np.testing.assert_array_equal(scores.informativeness_per_factor, whole.informativeness_per_factor)


def test_bad_input():
    codes, factors = data(20)
    with pytest.raises(UserError, match="cannot classify continuous"):
        dci(codes, factors[:, ::-1], codes, factors[:, ::-1], KINDS[::-1], compat=True)
    with pytest.raises(UserError, match="NaN"):
        dci(codes * np.nan, factors, codes, factors, KINDS)
    with pytest.raises(UserError, match="do not fit"):
        dci(codes[:0], factors[:0], codes, factors, KINDS)
    with pytest.raises(UserError, match="do not fit"):
        dci(codes, factors, codes, factors[:, :1], KINDS)
    with pytest.raises(UserError, match="discrete or continuous"):
        dci(codes, factors, codes, factors, ("a", "b"))
