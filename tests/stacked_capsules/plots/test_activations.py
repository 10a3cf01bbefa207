import matplotlib
import numpy as np
import pytest

from stacked_capsules.plots.activations import activation_image, viridis


def test_cells_are_in_reading_order():
    values = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    image = activation_image(values, 30)  # 3 x 3 cells of 10 pixels
    assert image.shape == (30, 30, 3)
    centers = image[5::10, 5::10].reshape(9, 3)
    np.testing.assert_array_equal(centers[:5], matplotlib.colormaps["viridis"](values)[:, :3])
    np.testing.assert_array_equal(centers[5:], 1.0)
    np.testing.assert_array_equal(image[9], 1.0)  # a seam


@pytest.mark.parametrize(("n", "size"), [(1, 5), (40, 96), (32, 96), (10, 28), (24, 5), (7, 3)])
def test_size_is_as_asked_for(n, size):
    image = activation_image(np.linspace(0, 1, 2 * n).reshape(2, n), size)
    assert image.shape == (2, size, size, 3)
    assert ((image >= 0) & (image <= 1)).all()


def test_out_of_range_and_nan():
    colors = viridis(np.array([-3.0, 0.0, 1.0, 7.0, np.nan]))
    np.testing.assert_array_equal(colors[0], colors[1])
    np.testing.assert_array_equal(colors[2], colors[3])
    np.testing.assert_array_equal(colors[4], 1.0)
