"""What users may pass as images and as points, and what they are told otherwise."""

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from discovery.checked_arrays import checked_images, checked_labels, checked_points

IMAGES = np.linspace(0.0, 1.0, 2 * 4 * 5 * 3, dtype=np.float32).reshape(2, 4, 5, 3)
POINTS = np.zeros((2, 3, 2), np.float32)


@pytest.mark.parametrize(
    "kind", [np.asarray, tf.constant, tf.Variable, np.ndarray.tolist, np.float64, np.float16]
)
def test_arrays_and_tensors_become_float32(kind):
    images = checked_images(kind(IMAGES), (4, 5, 3))
    assert images.dtype == tf.float32
    np.testing.assert_allclose(images, IMAGES, atol=1e-3)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (
            (255 * IMAGES).astype(np.int32),
            'they are int32; give floats in [0, 1], or uint8 in [0, 255]: images.astype("uint8")',
        ),
        ((IMAGES > 0.5).astype(np.uint8), "they are uint8, but no value is above 1"),
        (np.ones((2, 4, 5, 3), bool), "they are bool"),
        (255 * IMAGES, "range from 0 to 255, but must be in [0, 1]: give images / 255"),
        (256 * IMAGES, "range from 0 to 256, but must be in [0, 1]"),
        (256 * IMAGES - 1, "range from -1 to 255, but must be in [0, 1]"),
        (IMAGES - 0.5, "range from -0.5 to 0.5"),
        (2 * IMAGES - 1, "range from -1 to 1, but must be in [0, 1]: give (images + 1) / 2"),
        (1.02 * IMAGES - 0.01, "range from -0.01 to 1.01, but must be in [0, 1]: give images.clip(0, 1)"),
        (IMAGES[:0], "images: there are none in an array [0, 4, 5, 3]"),
        (IMAGES * np.nan, "some values are NaN"),
        (IMAGES[0], "[B, 4, 5, 3], not one of [4, 5, 3]; add an axis for the batch: images[None]"),
        (IMAGES[:, :3], "[B, 4, 5, 3], not one of [2, 3, 5, 3]"),
        (np.zeros((2, 3, 4, 5)), "not one of [2, 3, 4, 5]; channels come last: images.transpose(0, 2, 3, 1)"),
        ("cat.png", "not one of []"),
        ({"image": IMAGES}, "give an array or a tensor of numbers"),
        (None, "give an array or a tensor of numbers"),
    ],
)
def test_mistakes_in_images(images, words):
    with pytest.raises(UserError) as error:
        checked_images(images, (4, 5, 3))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_become_floats():
    every_byte = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    images = checked_images(every_byte, (16, 16, 1))
    np.testing.assert_array_equal(images, every_byte.astype(np.float32) / 255)
    assert not checked_images(np.zeros_like(every_byte), (16, 16, 1)).numpy().any()


def test_symbolic_images_are_checked_as_far_as_they_are_known():
    @tf.function(input_signature=[tf.TensorSpec([None, None, 5, 3])])
    def mean(images):
        return tf.reduce_mean(checked_images(images, (4, 5, 3)))

    assert float(mean(IMAGES)) == pytest.approx(0.5)
    with pytest.raises(UserError, match="not one of"):
        tf.function(lambda images: checked_images(images, (4, 5, 1)))(tf.constant(IMAGES))


def test_points():
    points, presence = checked_points(POINTS.astype(np.float64))
    assert (points.dtype, presence.dtype) == (tf.float32, tf.float32)
    np.testing.assert_array_equal(presence, np.ones((2, 3)))
    _, presence = checked_points(POINTS, np.array([[True, False, True]] * 2))
    np.testing.assert_array_equal(presence, [[1, 0, 1]] * 2)


@pytest.mark.parametrize(
    ("points", "presence", "words"),
    [
        (POINTS.astype(str), None, "points: they are string; give numbers"),
        (POINTS.astype(complex), None, "points: they are complex128; give numbers"),
        (POINTS[:0], None, "points: there are none in an array [0, 3, 2]"),
        (POINTS, POINTS[..., 0].astype(str), "presence: they are string; give numbers"),
        (POINTS[0], None, "give an array [B, N, 2], not one of [3, 2]"),
        (POINTS[..., :1], None, "not one of [2, 3, 1]"),
        (POINTS + np.inf, None, "some are not finite"),
        (POINTS, np.ones((2, 2)), "presence: give an array [2, 3], not one of [2, 2]"),
        (POINTS, np.full((2, 3), 0.5), "presence: it must be 0 or 1"),
    ],
)
def test_mistakes_in_points(points, presence, words):
    with pytest.raises(UserError) as error:
        checked_points(points, presence)
    assert words in str(error.value)


def test_labels_of_unknown_rank_are_taken_as_checked():
    @tf.function(input_signature=[tf.TensorSpec(None, tf.int64)])
    def classes(labels):
        return checked_labels(labels, 3)

    np.testing.assert_array_equal(classes(np.array([[0], [2]])), [0, 2])
