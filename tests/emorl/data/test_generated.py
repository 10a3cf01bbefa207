import dataclasses
import itertools

import numpy as np
import pytest

from discovery import Seed, UserError
from emorl.data import DataConfig, load
from emorl.data.generated import TEST, TRAIN, draw_set
from emorl.data.tetrominoes import tetromino_scenes


def take(dataset, n):
    return [{k: v.numpy() for k, v in batch.items()} for batch in itertools.islice(dataset, n)]


def assert_equal(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert x.keys() == y.keys()
        for name in x:
            np.testing.assert_array_equal(x[name], y[name])


@pytest.mark.parametrize("dataset", ["tetrominoes", "multi_dsprites"])
def test_a_resumed_stream_is_the_unbroken_one(dataset):
    config = DataConfig(dataset=dataset, batch_size=4, seed=5, masks=True, factors=True)
    unbroken = take(load(config).train(0), 6)
    assert_equal(take(load(config).train(4), 2), unbroken[4:])
    assert not np.array_equal(unbroken[0]["image"], unbroken[1]["image"])
    batch = unbroken[0]
    assert batch["image"].dtype == np.float32
    assert 0 <= batch["image"].min() < batch["image"].max() <= 1
    assert (batch["mask"].sum(axis=1) == 1).all()
    np.testing.assert_array_equal(batch["visibility"], batch["factors"][..., -1])


def test_only_what_is_asked_for():
    batch = take(load(DataConfig(batch_size=2)).train(0), 1)[0]
    assert list(batch) == ["image"]


def test_the_seed_changes_the_scenes_of_training_alone():
    a, b = (load(DataConfig(batch_size=8, seed=seed, n_test=8)) for seed in (0, 1))
    assert not np.array_equal(take(a.train(0), 1)[0]["image"], take(b.train(0), 1)[0]["image"])
    assert_equal(take(a.whole("valid"), 1), take(b.whole("valid"), 1))


def test_no_training_scene_is_a_test_scene():
    source = load(DataConfig(batch_size=64, n_test=128))
    test = {image.tobytes() for batch in source.whole("valid") for image in batch["image"].numpy()}
    train = {image.tobytes() for batch in take(source.train(0), 40) for image in batch["image"]}
    assert len(test) == 128
    assert len(train) == 40 * 64
    assert not test & train


def test_the_test_set_does_not_depend_on_the_batch_size():
    sets = []
    for batch_size in (7, 32):
        batches = take(load(DataConfig(batch_size=batch_size, n_test=50, masks=True)).whole("valid"), 99)
        assert [len(b["image"]) for b in batches][-1] == 50 % batch_size
        sets.append({k: np.concatenate([b[k] for b in batches]) for k in batches[0]})
    assert_equal(sets[:1], sets[1:])


def test_validation_runs_round_the_test_set():
    source = load(DataConfig(batch_size=4, n_test=6))
    whole = np.concatenate([b["image"] for b in take(source.whole("valid"), 2)])
    batches = take(source.valid(1), 3)
    np.testing.assert_array_equal(batches[0]["image"], whole[[4, 5, 0, 1]])
    np.testing.assert_array_equal(batches[1]["image"], whole[[2, 3, 4, 5]])


def test_whole_training_set_ends():
    source = load(DataConfig(batch_size=4, n_train=10))
    batches = take(source.whole("train"), 99)
    assert [len(b["image"]) for b in batches] == [4, 4, 2]
    assert_equal(batches[:2], take(source.train(0), 2))


def test_a_larger_set_begins_like_a_smaller_one():
    seed = Seed.of(0).fold(TEST)
    small, large = draw_set(tetromino_scenes, seed, 70), draw_set(tetromino_scenes, seed, 200)
    np.testing.assert_array_equal(small.image, large.image[:70])
    np.testing.assert_array_equal(draw_set(tetromino_scenes, seed, 72, first=128).image, large.image[128:])
    assert TRAIN != TEST


def test_a_variant_is_another_test_set():
    config = DataConfig(batch_size=4, n_test=8, masks=True, factors=True, variant="more_objects")
    batch = take(load(config).whole("valid"), 1)[0]
    assert batch["mask"].shape == (4, 5, 35, 35)
    assert batch["visibility"].tolist() == [[1.0] * 5] * 4
    assert 0 <= batch["image"].min() < batch["image"].max() <= 1
    assert load(config).sets["valid"] == "8 scenes, generated (more_objects)"
    assert load(DataConfig(n_test=8)).sets["valid"] == "8 scenes, generated"


def test_training_scenes_of_a_variant_are_not_shifted():
    config = DataConfig(batch_size=4, n_train=4, masks=True, factors=True)
    expected = take(load(config).whole("train"), 1)[0]
    batch = take(load(dataclasses.replace(config, variant="more_objects")).whole("train"), 1)[0]
    for name, value in expected.items():
        np.testing.assert_array_equal(batch[name], value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "cats"}, "--dataset=cats"),
        ({"dataset": "clevr6"}, "no generator"),
        ({"batch_size": 0}, "--batch_size=0"),
        ({"n_test": -1}, "--n_test=-1"),
        ({"seed": -1}, "--seed=-1"),
        ({"clevr_preprocess_style": "clevr-small"}, "clevr_preprocess_style"),
        ({"dataset": "clevr6", "clevr_preprocess_style": "huge"}, "clevr-small"),
        ({"clevrtex_variant": "none"}, "clevrtex_variant"),
        ({"variant": "rain"}, "--variant=rain: tetrominoes has only occlusion, scale, color, more_objects"),
        ({"dataset": "multi_dsprites", "variant": "occlusion"}, "multi_dsprites has only scale, color, more"),
        ({"dataset": "clevr6", "variant": "scale"}, "clevr6 has no variants; tetrominoes, multi_dsprites"),
        ({"data_path": "scenes.h5", "variant": "scale"}, "--variant=scale: only generated scenes"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(UserError, match=message):
        load(DataConfig(**options))
