import numpy as np

from stacked_capsules.plots.label_correlation import correlation, label_correlation_plot


def test_equals_numpy():
    rng = np.random.default_rng(0)
    x, y = rng.random((30, 3)), rng.random((30, 4))
    np.testing.assert_allclose(correlation(x, y), np.corrcoef(x.T, y.T)[:3, 3:], atol=1e-12)


def test_a_column_that_does_not_vary_correlates_with_nothing():
    x = np.stack([np.arange(4.0), np.full(4, 0.1)], 1)
    np.testing.assert_allclose(correlation(x, np.arange(4.0)[:, None]), [[1.0], [0.0]])


def test_draws_one_map_per_kind():
    rng = np.random.default_rng(0)
    presence = rng.random((20, 5))
    one = label_correlation_plot({"prior": presence}, np.arange(20) % 3)
    two = label_correlation_plot({"prior": presence, "posterior": np.zeros((20, 5))}, np.arange(20) % 3)
    assert one.dtype == np.uint8
    assert two.shape == (2 * one.shape[0], one.shape[1], 3)
    assert len(np.unique(one.reshape(-1, 3), axis=0)) > 10
