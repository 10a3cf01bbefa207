import numpy as np
import pytest

from emorl.metrics.iou import iou_matrix, match_slots, mean_iou, too_few_slots

# Two objects of four pixels and one of two, on twelve: slot 0 has three pixels of object 1, slot 1 one of it
# and all of object 2, slot 2 the rest.
TRUE = np.array([[[1, 1, 2, 2], [1, 1, 2, 2], [0, 0, 3, 3]]])
PRED = np.array([[[0, 0, 1, 1], [0, 1, 1, 1], [2, 2, 2, 2]]])


def masks(labels, n):
    return (labels[:, None] == np.arange(n)[:, None, None]).astype(np.float32)


def test_iou_of_every_pair():
    expected = [[0, 0, 2 / 4], [3 / 4, 1 / 8, 0], [0, 4 / 5, 0], [0, 0, 2 / 4], [0, 0, 0]]
    np.testing.assert_allclose(iou_matrix(masks(TRUE, 5), masks(PRED, 3)), [expected])


def test_mean_over_visible_objects():
    np.testing.assert_allclose(mean_iou(masks(TRUE, 5), masks(PRED, 3)), [(3 / 4 + 4 / 5 + 2 / 4) / 3])
    np.testing.assert_allclose(mean_iou(TRUE, masks(TRUE, 9)), [1.0])
    two_slots = np.where(TRUE == 1, 1, 0)  # object 2 shares a slot of eight pixels, 3 has none
    np.testing.assert_allclose(mean_iou(TRUE, masks(two_slots, 2)), [(1 + 4 / 8) / 3])
    assert np.isnan(mean_iou(0 * TRUE, masks(PRED, 3))).all()


def test_matching_leaves_out_the_small_the_absent_and_the_badly_matched():
    def pairs(presence, **options):
        (matching,) = match_slots(masks(TRUE, 5), masks(PRED, 3), [presence], **options)
        return dict(zip(matching.entities.tolist(), matching.slots.tolist(), strict=True))

    assert pairs([1, 1, 1, 1, 0], min_pixels=1) == {1: 0, 2: 1, 3: 2}
    assert pairs([0, 1, 1, 1, 0], min_pixels=1) == {1: 0, 2: 1, 3: 2}  # the background's presence is not read
    assert pairs([1, 1, 1, 1, 0], min_pixels=3) == {1: 0, 2: 1}
    assert pairs([1, 0, 1, 1, 0], min_pixels=1) == {2: 1, 3: 2}  # a hole in the presence
    assert pairs([1, 1, 1, 1, 0], min_pixels=1, min_iou=0.6) == {1: 0, 2: 1}
    assert pairs([1, 1, 1, 1, 0]) == {}
    assert pairs([1, 0, 0, 0, 0], min_pixels=1) == {}


def test_fewer_slots_than_objects_is_a_warning():
    with pytest.warns(UserWarning, match="3 objects, but 2 slots"):
        (matching,) = match_slots(masks(TRUE, 5), masks(PRED % 2, 2), [[1, 1, 1, 1, 0]], min_pixels=1)
    assert len(matching.slots) == 2
    assert too_few_slots(3, 3) is None
    assert "cannot reach 1" in too_few_slots(6, 4)
