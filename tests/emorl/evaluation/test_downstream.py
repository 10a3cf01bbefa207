import numpy as np
import pytest
import tensorflow as tf

from discovery import DataSource, UserError
from emorl.evaluation.downstream import downstream, find_scenes, predict_properties
from tests.emorl.evaluation.painted import PaintedModel, painted_scenes

KINDS = ("continuous",) * 4


def source_of(train, test):
    sets = {"train": train, "valid": test}
    return DataSource(None, None, lambda name: tf.data.Dataset.from_tensor_slices(sets[name]).batch(4))


@pytest.mark.parametrize("enlarged", [1, 3])
def test_slots_are_matched_to_what_they_painted(enlarged):
    scenes = painted_scenes(9, enlarged=enlarged)
    found = find_scenes(PaintedModel(), source_of(None, scenes), "valid", 9, 4)
    assert found.is_object.sum() == 25  # scenes 3 and 7 have two
    scene, entity = np.nonzero(found.is_object)
    slots = found.slots[scene, found.by_mask[scene, entity]]
    np.testing.assert_array_equal(slots, found.factors[scene, entity])


def test_training_scenes_are_others_than_those_scored():
    source = source_of(painted_scenes(9, seed=1), painted_scenes(6, seed=2))
    train, test = (find_scenes(PaintedModel(), source, split, 7, 4) for split in ("train", "valid"))
    assert len(train.slots) == 7
    assert len(test.slots) == 6
    assert (train.slots[:6] != test.slots).any()


def test_data_that_lack_something_are_found_out_before_the_model_is_called():
    scenes = painted_scenes(4)
    for name in ("mask", "factors"):
        lacking = {k: v for k, v in scenes.items() if k != name}
        for sets in ((lacking, scenes), (scenes, lacking)):
            with pytest.raises(UserError, match=f"the data hold no {name}"):
                downstream(None, source_of(*sets), KINDS)
    with pytest.raises(UserError, match="the factors have 5 columns, but the data set has 5 and visibility"):
        downstream(None, source_of(scenes, scenes), (*KINDS, "discrete"))
    with pytest.raises(UserError, match="the factors have 5 columns, but the data set has 3 and visibility"):
        downstream(None, source_of(scenes, scenes), KINDS[:3])


def test_what_nothing_can_be_learned_from():
    scenes = painted_scenes(4)
    with pytest.raises(UserError, match=r"1 training scenes with 3 objects.*too few"):
        downstream(PaintedModel(), source_of(scenes, scenes), KINDS, n_train=1)
    with pytest.raises(UserError, match=r"4 training scenes with \d+ objects, 1 with 3 to score: too few"):
        downstream(PaintedModel(), source_of(scenes, scenes), KINDS, n_test=1)  # there is no other scene
    found = find_scenes(PaintedModel(), source_of(None, scenes), "valid", 4, 4)
    broken = found._replace(slots=found.slots * np.nan)
    with pytest.raises(UserError, match="slots hold NaN or infinity"):
        predict_properties(broken, found, KINDS)
