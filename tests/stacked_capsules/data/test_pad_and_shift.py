"""Shifts have the original's distribution, and images arrive whole."""

import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed
from stacked_capsules.data.pad_and_shift import first_pixel, pad_and_shift, random_offsets


def test_from_28_to_40_offset_0_has_probability_1_in_25_and_each_of_1_to_12_has_2():
    starts = first_pixel(tf.range(-12, 13), 28, 40).numpy()
    np.testing.assert_array_equal(np.bincount(starts), [1] + [2] * 12)

    n = 50_000
    offsets = random_offsets(Seed.of(3), n, (28, 28), 40).numpy()  # [n, 2]
    for axis in (0, 1):
        share = np.bincount(offsets[:, axis], minlength=13) / n
        np.testing.assert_allclose(share, np.array([1] + [2] * 12) / 25, atol=5e-3)
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.02, "rows and columns are independent"


@pytest.mark.parametrize(
    ("size", "canvas", "shift"), [(28, 40, 12), (28, 40, 5), (28, 40, 20), (7, 10, 3), (8, 8, 2)]
)
def test_offsets_follow_the_padding_that_the_original_does(size, canvas, shift):
    for draw in range(-shift, shift + 1):
        before, behind = max(-draw, 0), max(draw, 0)
        missing = max(canvas - size - before - behind, 0)
        before += missing - missing // 2
        assert first_pixel(tf.constant(draw), size, canvas) == before


def test_each_image_lands_whole_at_its_place_whatever_its_type_and_shape():
    rng = np.random.default_rng(0)
    offsets = rng.integers(0, [4, 6], [16, 2])
    for images in (
        rng.integers(1, 256, [16, 6, 4, 3]).astype(np.uint8),
        rng.uniform(0.1, 1.0, [16, 6, 4, 1]).astype(np.float32),
    ):
        canvases = np.zeros([16, 9, 9, images.shape[-1]], images.dtype)
        for canvas, image, (row, column) in zip(canvases, images, offsets, strict=True):
            canvas[row : row + 6, column : column + 4] = image[: 9 - row, : 9 - column]
        np.testing.assert_array_equal(pad_and_shift(images, tf.constant(offsets, tf.int32), 9), canvases)


def test_a_larger_shift_than_the_canvas_has_room_for_cuts_images_off():
    images = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3, 1)
    shifted = pad_and_shift(images, tf.constant([[2, 0]]), 4)[0, ..., 0]
    np.testing.assert_array_equal(shifted, [[0, 0, 0, 0], [0, 0, 0, 0], [1, 2, 3, 0], [4, 5, 6, 0]])
    offsets = random_offsets(Seed.of(0), 500, (3, 3), 4, shift=3).numpy()
    assert set(offsets.ravel()) == {0, 1, 2, 3}
