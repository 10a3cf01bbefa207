import numpy as np
import pytest
from PIL import Image

from emorl.bicubic import bicubic_resize

SIZES = [((192, 192), (96, 96)), ((192, 192), (128, 128)), ((96, 96), (192, 192)), ((7, 13), (20, 5))]


@pytest.mark.parametrize(("source", "size"), SIZES)
def test_bytes_are_pillows_to_the_bit(source, size):
    images = np.random.default_rng(0).integers(0, 256, (2, *source, 3), dtype=np.uint8)
    expected = [np.array(Image.fromarray(image).resize(size[::-1])) for image in images]
    np.testing.assert_array_equal(bicubic_resize(images, size), expected)


@pytest.mark.parametrize(("source", "size"), SIZES)
def test_floats_are_pillows(source, size):
    masks = np.random.default_rng(1).random((2, *source, 1), dtype=np.float32)
    expected = [np.array(Image.fromarray(mask[..., 0]).resize(size[::-1]))[..., None] for mask in masks]
    np.testing.assert_allclose(bicubic_resize(masks, size), expected, atol=1e-6)


def test_the_same_size_changes_nothing():
    images = np.random.default_rng(2).integers(0, 256, (1, 5, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(bicubic_resize(images, (5, 6)), images)
