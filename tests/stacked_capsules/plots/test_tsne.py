import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from discovery import UserError
from stacked_capsules.plots import tsne


def groups(n):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    return (np.eye(3)[labels] + 0.05 * rng.random((n, 3))).astype(np.float32), labels


def test_seeded_and_faithful():
    presences, _ = groups(60)
    embedded = tsne.tsne_embedding(presences, seed=1)
    np.testing.assert_array_equal(embedded, tsne.tsne_embedding(presences, seed=1))
    assert not np.array_equal(embedded, tsne.tsne_embedding(presences, seed=2))
    assert trustworthiness(presences, embedded) > 0.9


def test_large_sets_are_thinned_by_the_seed(monkeypatch):
    presences, labels = groups(60)
    seen = []
    monkeypatch.setattr(tsne, "MAX_POINTS", 20)
    monkeypatch.setattr(tsne, "tsne_embedding", lambda p, seed: seen.append(p) or p[:, :2])
    for seed in (0, 0, 1):
        tsne.tsne_plot(presences, labels, seed)
    assert all(len(np.unique(p, axis=0)) == 20 for p in seen)
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


@pytest.mark.parametrize("n", [4, 10])
def test_small_sets_and_no_labels(n):
    presences, labels = groups(n)
    picture = tsne.tsne_plot(presences, labels)
    assert picture.dtype == np.uint8
    assert picture.shape == (800, 880, 3)
    assert tsne.tsne_plot(presences).shape == (800, 880, 3)


def test_equal_presences():
    assert np.isfinite(tsne.tsne_embedding(np.full((20, 5), 0.3, np.float32), seed=0)).all()


def test_too_few():
    with pytest.raises(UserError, match="at least 4 examples, not 3"):
        tsne.tsne_plot(np.zeros((3, 2)), np.zeros(3, int))
