import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, jaccard_score

from emorl.metrics.adjusted_rand_index import adjusted_rand_index
from emorl.metrics.iou import iou_matrix
from emorl.metrics.segmentation_covering import segmentation_covering
from tests.emorl.metrics.test_iou import PRED, TRUE, masks


def test_each_object_is_covered_by_its_best_slot():
    covering, mean_covering = segmentation_covering(masks(TRUE, 5), masks(PRED, 3))
    np.testing.assert_allclose(mean_covering, [(3 / 4 + 4 / 5 + 2 / 4) / 3])
    np.testing.assert_allclose(covering, [(4 * 3 / 4 + 4 * 4 / 5 + 2 * 2 / 4) / 10])


def test_objects_may_share_a_slot_and_images_may_be_empty():
    one_slot = np.zeros_like(TRUE)
    np.testing.assert_allclose(segmentation_covering(TRUE, one_slot)[1], [(4 / 12 + 4 / 12 + 2 / 12) / 3])
    np.testing.assert_allclose(segmentation_covering(TRUE, TRUE), [[1.0], [1.0]])
    assert np.isnan(segmentation_covering(0 * TRUE, PRED)).all()


def labels(n):
    """Random labels of 24 pixels, one of them alone included."""
    return st.lists(st.integers(0, n - 1), min_size=24, max_size=24).map(
        lambda x: np.array(x).reshape(1, 4, 6)
    )


@settings(max_examples=40, deadline=None)
@given(labels(3), labels(4))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_iou_and_rand_index_are_scikit_learns(true, predicted):
    iou = iou_matrix(masks(true, 3), masks(predicted, 4)).numpy()[0]  # [E, K]
    for e, k in np.ndindex(3, 4):
        ours, theirs = (true == e).ravel(), (predicted == k).ravel()
        assert iou[e, k] == pytest.approx(jaccard_score(ours, theirs, zero_division=0))
    whole = adjusted_rand_index(true, masks(predicted, 4), foreground_only=False).numpy()[0]
    assert whole == pytest.approx(adjusted_rand_score(true.ravel(), predicted.ravel()), abs=1e-5)
    best = [iou[e].max() for e in (1, 2) if (true == e).any()]
    mean_covering = segmentation_covering(masks(true, 3), masks(predicted, 4))[1][0]
    assert mean_covering == pytest.approx(np.mean(best)) if best else np.isnan(mean_covering)
