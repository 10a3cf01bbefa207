import numpy as np
import pytest

from discovery import UserError
from emorl.evaluation.dci_of_slots import MatchedObjects, dci_of_objects, matched_objects
from tests.emorl.evaluation.painted import PaintedModel, painted_scenes, source_of

KINDS = ("continuous", "continuous", "discrete", "discrete")


def test_each_object_is_paired_with_the_slot_that_painted_it():
    scenes = painted_scenes(9)
    objects = matched_objects(PaintedModel(), source_of(scenes, 4), 9)
    assert objects.n_images == 9
    present = scenes["visibility"].copy()
    present[:, 0] = 0
    assert len(objects.codes) == present.sum() == 25  # scenes 3 and 7 have two
    np.testing.assert_array_equal(objects.factors, scenes["factors"][present > 0])
    np.testing.assert_array_equal(objects.codes, objects.factors[:, :4])


def test_masks_larger_than_the_image():
    scenes = painted_scenes(3, enlarged=6)
    objects = matched_objects(PaintedModel(), source_of(scenes, 3), 3)
    np.testing.assert_array_equal(objects.codes, objects.factors[:, :4])


def test_latents_that_are_the_factors_are_disentangled():
    objects = matched_objects(PaintedModel(), source_of(painted_scenes(60), 16), 60)
    scores = dci_of_objects(objects, KINDS)
    assert scores.disentanglement > 0.95
    assert scores.completeness > 0.95
    assert scores.informativeness_test > 0.95
    np.testing.assert_array_equal(scores.importance.argmax(axis=0), [0, 1, 2, 3])
    as_run = dci_of_objects(objects, KINDS, compat=True)
    assert (
        as_run.informativeness_test < scores.informativeness_test
    )  # equality of floats, even of continuous ones


def test_what_dci_cannot_be_computed_from():
    scenes = painted_scenes(2)
    without_factors = {name: scenes[name] for name in ("image", "mask")}
    with pytest.raises(UserError, match="no factors and no visibility"):
        matched_objects(PaintedModel(), source_of(without_factors, 2))
    with pytest.raises(UserError, match=r"3 objects in 1 images .* too few to score"):
        dci_of_objects(MatchedObjects(np.zeros([3, 4]), np.zeros([3, 5]), 1), KINDS)
