"""Batches are pure functions of the step; validation images have one place each for all time."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules.data.batches import from_arrays


def numbered(n, size=4):
    """Image i is of the gray level i + 1 all over, its label is i."""
    levels = np.arange(1, n + 1, dtype=np.uint8)  # [n]
    return {"image": np.tile(levels[:, None, None, None], [1, size, size, 1]), "label": np.arange(n)}


def first(dataset, n):
    return list(itertools.islice(dataset.as_numpy_iterator(), n))


def labels(dataset, n_batches):
    return np.concatenate([batch["label"] for batch in first(dataset, n_batches)])


def places(batch):
    """Returns the row and column of each image's first lit pixel [B, 2]."""
    lit = batch["image"][..., 0] > 0.0  # [B, H, W]
    return np.stack([lit.any(axis=2).argmax(axis=1), lit.any(axis=1).argmax(axis=1)], axis=1)


def assert_same(batches, others):
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name])


@pytest.mark.parametrize("order", [{"epoch_order": "swaps"}, {"epoch_order": "sort"}, {"shuffle": False}])
def test_any_start_continues_what_an_unbroken_run_reads(order):
    def source():
        return from_arrays(numbered(10), numbered(7), batch_size=4, canvas_size=9, seed=5, **order)

    unbroken = {"train": first(source().train(0), 12), "valid": first(source().valid(0), 12)}
    for start in (1, 2, 5, 7):  # within the first epoch, across a border, at a border, in the third epoch
        assert_same(first(source().train(start), 5), unbroken["train"][start : start + 5])
        assert_same(first(source().valid(start), 5), unbroken["valid"][start : start + 5])


def test_without_shuffling_the_order_is_that_of_repeat_and_batch():
    source = from_arrays(numbered(10), numbered(7), batch_size=4, canvas_size=4, shuffle=False)
    np.testing.assert_array_equal(labels(source.train(0), 10), np.arange(40) % 10)
    np.testing.assert_array_equal(labels(source.valid(0), 10), np.arange(40) % 7)


@pytest.mark.parametrize("how", ["swaps", "sort"])
def test_each_epoch_is_a_new_permutation_and_seeds_differ(how):
    orders = [
        labels(from_arrays(numbered(60), numbered(4), 5, 4, seed, epoch_order=how).train(0), 36).reshape(
            3, 60
        )
        for seed in (0, 1)
    ]
    epochs = np.concatenate(orders)  # [6, 60]
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(60), [6, 1]))
    assert len({tuple(epoch) for epoch in epochs}) == 6


def test_orders_of_earlier_runs_stay():
    source = from_arrays(numbered(10), numbered(7), batch_size=5, canvas_size=9, seed=5)
    np.testing.assert_array_equal(
        labels(source.train(0), 4), [1, 5, 7, 2, 9, 0, 4, 8, 3, 6, 0, 8, 9, 7, 3, 2, 6, 5, 1, 4]
    )


@pytest.mark.parametrize("how", ["swaps", "sort"])
def test_the_order_is_uniform_over_permutations(how):
    source = from_arrays(numbered(4), numbered(4), 4, 4, seed=2, epoch_order=how)
    order = labels(source.train(0), 2400).reshape(2400, 4)
    _, counts = np.unique(order, axis=0, return_counts=True)
    assert len(counts) == 24
    assert ((counts - 100) ** 2 / 100).sum() < 60, "chi-square of 23 degrees of freedom"


def test_a_batch_may_be_larger_than_the_set():
    source = from_arrays(numbered(3), numbered(2), batch_size=8, canvas_size=4)
    (batch,) = first(source.train(2), 1)
    assert batch["image"].shape == (8, 4, 4, 1)
    assert (np.bincount(batch["label"], minlength=3) >= 2).all()
    np.testing.assert_array_equal(labels(source.valid(0), 1), [0, 1] * 4)
    assert len(first(source.whole("train"), 9)) == 1


def test_whole_reads_each_example_once_in_order_with_a_partial_last_batch():
    source = from_arrays(numbered(10), numbered(7), batch_size=4, canvas_size=9)
    for name, n in (("train", 10), ("valid", 7)):
        dataset = source.whole(name)
        np.testing.assert_array_equal(labels(dataset, 99), np.arange(n))
        assert [len(batch["image"]) for batch in first(dataset, 99)] == [4] * (n // 4) + [n % 4]
        assert dataset.cardinality() == -(-n // 4)
    assert source.train(0).cardinality() == source.valid(0).cardinality() == tf.data.INFINITE_CARDINALITY
    with pytest.raises(UserError, match="test: there is no such set"):
        source.whole("test")


def test_validation_images_have_one_place_each_and_training_images_move():
    source = from_arrays(numbered(6), numbered(5), batch_size=3, canvas_size=16, seed=1)
    of_valid = np.concatenate([places(batch) for batch in first(source.whole("valid"), 99)])  # [5, 2]
    assert len(np.unique(of_valid, axis=0)) > 1
    for batch in first(source.valid(4), 6):
        np.testing.assert_array_equal(places(batch), of_valid[batch["label"]])
    once, again = (np.concatenate([places(b) for b in first(source.whole("train"), 99)]) for _ in range(2))
    np.testing.assert_array_equal(once, again)

    seen = [set() for _ in range(6)]
    for batch in first(source.train(0), 20):
        for label, place in zip(batch["label"], places(batch), strict=True):
            seen[label].add(tuple(place))
    assert all(len(found) > 3 for found in seen)
    other = from_arrays(numbered(6), numbered(5), batch_size=3, canvas_size=16, seed=2)
    assert (places(first(other.valid(0), 1)[0]) != of_valid[:3]).any()


def test_pixels_become_floats_exactly_and_batches_have_static_shapes():
    gray = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    floats = np.linspace(0.0, 1.0, 256, dtype=np.float64).reshape(1, 16, 16, 1)
    source = from_arrays({"image": gray}, {"image": floats}, batch_size=1, canvas_size=16)
    (train,), (valid,) = first(source.train(0), 1), first(source.valid(0), 1)
    np.testing.assert_array_equal(train["image"], gray.astype(np.float32) / np.float32(255.0))
    np.testing.assert_array_equal(valid["image"], floats.astype(np.float32))
    assert train.keys() == {"image"}, "labels are optional"
    assert source.train(0).element_spec["image"] == tf.TensorSpec([1, 16, 16, 1], tf.float32)
