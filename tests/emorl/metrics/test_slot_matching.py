import itertools

import numpy as np
import pytest

from emorl.metrics.slot_matching import NO_SLOT, assign_slots, slots_by_mask, visible_objects


@pytest.mark.parametrize(("n_entities", "n_slots"), [(4, 5), (5, 3), (4, 4)])
def test_no_other_assignment_costs_less(n_entities, n_slots):
    rng = np.random.default_rng(0)
    cost = rng.normal(size=[20, n_entities, n_slots])
    is_object = rng.uniform(size=[20, n_entities]) < 0.7
    slots = assign_slots(cost, is_object)
    assert (slots[~is_object] == NO_SLOT).all()
    for scene, chosen in enumerate(slots):
        objects, found = np.flatnonzero(is_object[scene]), np.flatnonzero(chosen != NO_SLOT)
        n = min(len(objects), n_slots)
        assert len(found) == len(set(chosen[found])) == n
        costs = [
            cost[scene, list(some), list(order)].sum()
            for some in itertools.combinations(objects, n)
            for order in itertools.permutations(range(n_slots), n)
        ]
        assert cost[scene, found, chosen[found]].sum() == pytest.approx(min(costs))


def test_masks_match_as_the_best_of_all_permutations_does():
    rng = np.random.default_rng(1)
    true, pred = rng.integers(0, 4, [10, 6, 6]), rng.uniform(size=[10, 5, 6, 6, 1])
    owner = pred[..., 0].argmax(axis=1)
    slots = slots_by_mask(true, pred, np.tile([False, True, True, True], [10, 1]))
    for scene, chosen in enumerate(slots):

        def iou(entity, slot, scene=scene):
            a, b = true[scene] == entity, owner[scene] == slot
            return (a & b).sum() / (a | b).sum()

        best = max(sum(map(iou, (1, 2, 3), order)) for order in itertools.permutations(range(5), 3))
        assert sum(map(iou, (1, 2, 3), chosen[1:])) == pytest.approx(best)


def test_objects_are_present_and_to_be_seen():
    true = np.array([[[0, 1], [1, 3]], [[2, 2], [2, 2]]])
    present = np.array([[1, 1, 1, 0], [1, 1, 1, 1]])
    expected = [[False, True, False, False], [False, False, True, False]]
    np.testing.assert_array_equal(visible_objects(true, present), expected)
