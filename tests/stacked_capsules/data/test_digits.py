"""The embedded digits: a fixed split, MNIST's size."""

import numpy as np
from sklearn.datasets import load_digits

from stacked_capsules.data import DataConfig, load
from stacked_capsules.data.digits import read, upsample


def test_the_split_is_fixed_and_every_class_is_in_both_sets():
    train, valid, *_ = read(DataConfig())
    assert train["image"].shape == (1501, 28, 28, 1)
    assert valid["image"].shape == (296, 28, 28, 1)
    assert train["image"].dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(valid["label"]), np.bincount(load_digits().target) // 6)
    again, *_ = read(DataConfig(seed=7, shuffle=False))
    np.testing.assert_array_equal(train["image"], again["image"])


def test_upsampling_keeps_brightness_and_position():
    digits = load_digits().images[:200, ..., None]  # [200, 8, 8, 1]
    large = upsample(digits) / 255.0
    np.testing.assert_allclose(large.mean(axis=(1, 2)), digits.mean(axis=(1, 2)) / 16.0, atol=0.03)
    for axis in (1, 2):
        center = (large * np.expand_dims((np.arange(28) + 0.5) / 28, (0, 3, 3 - axis))).sum((1, 2, 3))
        expected = (digits * np.expand_dims((np.arange(8) + 0.5) / 8, (0, 3, 3 - axis))).sum((1, 2, 3))
        np.testing.assert_allclose(
            center / large.sum((1, 2, 3)), expected / digits.sum((1, 2, 3)), atol=0.02, err_msg=str(axis)
        )
    assert (upsample(np.full([1, 8, 8, 1], 16.0)) == 255).all()


def test_batches():
    source = load(DataConfig(dataset="digits", batch_size=100, canvas_size=32))
    batches = list(source.whole("valid").as_numpy_iterator())
    assert [batch["image"].shape for batch in batches] == [(100, 32, 32, 1)] * 2 + [(96, 32, 32, 1)]
    assert batches[0]["image"].dtype == np.float32
    assert batches[0]["label"].dtype == np.int64


def test_a_smaller_canvas_gets_smaller_digits_not_cropped_ones():
    source = load(DataConfig(dataset="digits", batch_size=100, canvas_size=16))
    small = next(iter(source.whole("valid").as_numpy_iterator()))
    large = next(iter(load(DataConfig(dataset="digits", batch_size=100)).whole("valid").as_numpy_iterator()))
    assert small["image"].shape == (100, 16, 16, 1)
    np.testing.assert_array_equal(small["label"], large["label"])
    np.testing.assert_allclose(small["image"].mean((1, 2, 3)), large["image"].mean((1, 2, 3)), atol=0.01)
