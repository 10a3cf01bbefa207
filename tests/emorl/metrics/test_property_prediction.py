import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from emorl.metrics.object_properties import encode_properties, measure_properties, property_scores
from emorl.metrics.property_prediction import SlotScenes, predict_objects, train_predictor
from emorl.metrics.slot_matching import NO_SLOT

KINDS = ("continuous", "discrete", "continuous")  # x, color and size
N, K, Z, N_TRAIN = 1200, 6, 8, 1000


def scenes_of(shuffled=False, noise=0.0):
    """Slots of which some, in any order, hold their object's properties linearly mixed; the others are noise.

    Entities: the background, which has no properties, and four objects; the last is in half of the scenes.

    Returns:
        Scenes to learn from, scenes to score, properties.
    """
    rng = np.random.default_rng(0)
    x, color, size = rng.uniform(-3, 8, [N, 5]), rng.integers(0, 3, [N, 5]), rng.normal(size=[N, 5])
    factors = np.stack([x, color, size], axis=-1)  # [N, 5, 3]
    mixed = np.concatenate([x[..., None] / 4, size[..., None], np.eye(3)[color]], axis=-1) @ rng.normal(
        size=[5, Z]
    )
    is_object = np.tile([False, True, True, True, True], [N, 1])
    is_object[::2, 4] = False
    slots = rng.normal(0, 2, [N, K, Z])
    by_mask = np.full([N, 5], -1, np.int32)
    for scene, there in enumerate(is_object):
        by_mask[scene, there] = rng.permutation(K)[: there.sum()]
        slots[scene, by_mask[scene, there]] = mixed[scene, there]
    slots += noise * rng.normal(size=slots.shape)
    if shuffled:
        factors = rng.permutation(factors.reshape(-1, 3)).reshape(factors.shape)
    factors[~is_object] = 1e6  # nobody looks at these
    train, test = slice(None, N_TRAIN), slice(N_TRAIN, None)
    properties = measure_properties(factors[train][is_object[train]], KINDS)
    all_of_them = (slots.astype(np.float32), encode_properties(properties, factors), is_object, by_mask)
    return (*(SlotScenes(*(array[part] for array in all_of_them)) for part in (train, test)), properties)


def scores_of(train, test, properties, kind, matching, n_steps):
    predictor = train_predictor(train, properties, kind, matching, n_steps=n_steps)
    found = predict_objects(predictor, test, properties, matching, test.targets[0, 0])
    assert len(found.targets) == test.is_object.sum() == 700  # two slots or three of each scene are left over
    return property_scores(properties, *found)


@pytest.mark.parametrize("matching", ["mask", "loss"])
def test_what_slots_hold_linearly_is_predicted_whatever_their_order(matching):
    x, color, size = scores_of(*scenes_of(), "linear", matching, 6000)
    assert x > 0.99
    assert color == 1
    assert size > 0.99


def test_shuffled_properties_are_predicted_no_better_than_by_the_baseline():
    train, test, properties = scenes_of(shuffled=True)
    true = test.targets[test.is_object]  # [M, P]
    mean = train.targets[train.is_object].mean(axis=0)  # [P]
    baseline = property_scores(properties, true, np.tile(mean, [len(true), 1]))
    assert baseline == pytest.approx([0, 1 / 3, 0], abs=0.06)
    by_mask = scores_of(train, test, properties, "mlp", "mask", 500)
    np.testing.assert_array_less(by_mask, baseline + 0.06)
    # Loss matching chooses among a scene's slots by the truth; where these are alike, there is no choice.
    train, test = (scenes._replace(slots=scenes.slots[:, :1].repeat(K, axis=1)) for scenes in (train, test))
    np.testing.assert_array_less(scores_of(train, test, properties, "linear", "loss", 500), baseline + 0.06)


def test_linear_predictions_by_masks_are_a_linear_regression():
    train, test, properties = scenes_of(noise=0.7)

    def matched(scenes):
        scene, entity = np.nonzero(scenes.by_mask >= 0)
        return scenes.slots[scene, scenes.by_mask[scene, entity]], scenes.targets[scene, entity, 0]

    slots, x = matched(test)
    expected = r2_score(x, LinearRegression().fit(*matched(train)).predict(slots))
    assert 0.1 < expected < 0.95
    assert scores_of(train, test, properties, "linear", "mask", 6000)[0] == pytest.approx(expected, abs=0.02)


def test_from_a_single_slot_all_objects_of_a_scene_are_predicted():
    train, test, properties = scenes_of()

    def joined(scenes):  # the slots of a scene, those of its objects first, side by side in one
        first = np.where(scenes.by_mask < 0, K, scenes.by_mask)  # [N, E], an empty slot of what is no object
        slots = np.pad(scenes.slots, [(0, 0), (0, 1), (0, 0)])
        slots = np.take_along_axis(slots, first[..., None], axis=1)  # [N, E, D]
        return scenes._replace(slots=slots.reshape(len(slots), 1, -1))

    predictor = train_predictor(joined(train), properties, "linear", "loss")
    test = joined(test)
    found = predict_objects(predictor, test, properties, "loss", np.full_like(test.targets[0, 0], np.nan))
    x, color, size = property_scores(properties, *found)
    assert len(found.targets) == 700
    assert x > 0.95
    assert color > 0.95
    assert size > 0.95


@pytest.mark.parametrize("matching", ["mask", "loss"])
def test_objects_beyond_the_slots_are_predicted_alike(matching):
    train, test, properties = scenes_of()
    taken = test.by_mask >= 2
    few = test._replace(slots=test.slots[:, :2], by_mask=np.where(taken, NO_SLOT, test.by_mask))
    predictor = train_predictor(train, properties, "linear", matching, n_steps=5)

    def of_two(slots):  # the predictor reads each slot alone
        return predictor(np.pad(slots, [(0, 0), (0, K - 2), (0, 0)]))[:, :2]

    without = np.full_like(test.targets[0, 0], 7.0)
    found = predict_objects(of_two, few, properties, matching, without)
    assert len(found.targets) == len(found.predicted) == test.is_object.sum()
    beyond = (found.predicted == 7).all(axis=1)
    n_beyond = taken.sum() if matching == "mask" else (test.is_object.sum(axis=1) - 2).clip(0).sum()
    assert beyond.sum() == n_beyond > 0


def test_predictions_are_the_seeds_alone():
    train, test, properties = scenes_of()

    def predicted(seed):
        predictor = train_predictor(train, properties, "linear", "loss", seed, n_steps=5)
        return predict_objects(predictor, test, properties, "loss", test.targets[0, 0]).predicted

    first = predicted(3)
    np.testing.assert_array_equal(first, predicted(3))
    assert (first != predicted(4)).any()
