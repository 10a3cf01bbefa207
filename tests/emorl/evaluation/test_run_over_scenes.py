import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from emorl.evaluation.ari_mse_kl import ari_mse_kl
from emorl.evaluation.clevrtex_benchmark import evaluate_clevrtex
from emorl.evaluation.latents import find_slots
from emorl.evaluation.run_over_scenes import over_scenes
from tests.emorl.evaluation.painted import PaintedModel, painted_scenes, source_of
from tests.emorl.small_models import SIZE, images, make

N = 18  # more than are taken at a time


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(0)
    owner = rng.integers(0, 3, [N, 1, SIZE, SIZE])
    return {"image": images(N).numpy(), "mask": (owner == np.arange(3)[:, None, None]).astype(np.uint8)}


@pytest.mark.parametrize("kind", ["one_layer", "slot_attention"])
def test_results_are_bitwise_the_same_for_every_batch_size(kind, scenes):
    model = make(kind)
    first, *others = (ari_mse_kl(model, source_of(scenes, batch_size), N) for batch_size in (N, 1, 7))
    assert len(first.ari) == N
    for other in others:
        for one, another in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, another)


@pytest.mark.parametrize("kind", ["one_layer", "slot_attention"])
def test_a_scene_is_scored_alike_alone_and_among_others(kind, scenes):
    model = make(kind)
    found = find_slots(model, source_of(scenes, 5), N)
    for row in (0, N - 1):
        alone = find_slots(model, source_of({name: x[row : row + 1] for name, x in scenes.items()}, 1), 1)
        for field, of_all, of_one in zip(found._fields, found, alone, strict=True):
            np.testing.assert_allclose(of_one[0], of_all[row], rtol=1e-4, atol=1e-4, err_msg=field)


def test_the_same_seed_gives_the_same_samples_and_another_one_others(scenes):
    model, source = make("one_layer"), source_of(scenes, 6)
    one, again, other = (find_slots(model, source, 3, seed).slots for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_at_most_so_many_scenes_are_read_and_compiled_once():
    calls = []

    def compute(images):
        calls.append(images.shape)
        return tf.reduce_mean(images, axis=[1, 2, 3]), None

    arrays = painted_scenes(21)
    rows = list(over_scenes(PaintedModel(), source_of(arrays, 4), 20, compute, ["mask"]))
    assert len(calls) == 1
    means = np.concatenate([mean for _, (mean, nothing) in rows if nothing is None])
    np.testing.assert_allclose(means, arrays["image"][:20].mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_array_equal(np.concatenate([s["mask"] for s, _ in rows]), arrays["mask"][:20])
    fewer = list(over_scenes(PaintedModel(), source_of(arrays, 4), 1000, compute))
    assert sum(len(scenes["image"]) for scenes, _ in fewer) == 21


def test_what_is_missing_is_named():
    scenes = painted_scenes(2)
    without = source_of({"image": scenes["image"]}, 2)
    with pytest.raises(UserError, match="hold no mask, which"):
        evaluate_clevrtex(PaintedModel(), without)
    with pytest.raises(UserError, match="no scene"):
        find_slots(PaintedModel(), source_of({"image": scenes["image"][:0]}, 2))
    with pytest.raises(UserError, match="num_images_to_process=0: must be positive"):
        find_slots(PaintedModel(), without, 0)
