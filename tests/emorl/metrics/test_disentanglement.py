import numpy as np
import pytest

from discovery import UserError
from emorl.metrics.disentanglement import (
    activeness,
    latent_ranges,
    read_ranges,
    sweep_values,
    traversal_values,
    traverse,
    write_ranges,
)

RANGES = np.array([[1.0, 9.0], [-3.0, -1.0]])


def test_ranges_are_over_images_and_slots():
    slots = np.array([[[1.0, -2.0], [4.0, -3.0]], [[9.0, -1.0], [2.0, -2.0]]])  # [B, K, z]
    np.testing.assert_array_equal(latent_ranges(slots), RANGES)
    np.testing.assert_array_equal(latent_ranges(slots.reshape(4, 2)), RANGES)


def test_a_sweep_goes_over_the_whole_range():
    np.testing.assert_allclose(sweep_values(RANGES, 3), [[1, 5, 9], [-3, -2, -1]])


def test_a_traversal_is_about_the_middle():
    np.testing.assert_allclose(traversal_values(RANGES, 3), [[3, 5, 7], [-3, -2, -1]])
    root = np.sqrt(5.0)
    np.testing.assert_allclose(
        traversal_values(RANGES, 3, as_run=True),
        [
            [4 - np.sqrt(3), (8 + root - np.sqrt(3)) / 2, 4 + root],
            [1 - 2, 1 + (np.sqrt(2) - 2) / 2, 1 + np.sqrt(2)],
        ],
    )


def test_one_latent_of_one_slot_moves_at_a_time():
    slots = np.arange(6.0).reshape(3, 2)
    moved = traverse(slots, 1, np.array([[10.0, 11.0, 12.0], [20.0, 21.0, 22.0]]))
    assert moved.shape == (2, 3, 3, 2)
    np.testing.assert_array_equal(moved[0, 2], [[0, 1], [12, 3], [4, 5]])
    np.testing.assert_array_equal(moved[1, 0], [[0, 1], [2, 20], [4, 5]])


def test_activeness_is_the_mean_variance_of_pixels():
    pictures = np.zeros((2, 3, 2, 2, 1))
    pictures[0, :, 0, 0, 0] = [1, 2, 3]  # variance 1 (n - 1) in one pixel of four
    np.testing.assert_allclose(activeness(pictures), [0.25, 0])


def test_the_file_of_ranges_is_written_anew(tmp_path):
    path = tmp_path / "z_range.txt"
    write_ranges(path, RANGES + 5)
    write_ranges(path, RANGES)
    assert path.read_text() == "1.0,9.0\n-3.0,-1.0\n"
    np.testing.assert_array_equal(read_ranges(path, 2), RANGES)


def test_a_file_of_another_model_or_none(tmp_path):
    path = tmp_path / "z_range.txt"
    with pytest.raises(UserError, match="disentanglement_preprocessing first"):
        read_ranges(path, 2)
    write_ranges(path, RANGES)
    with pytest.raises(UserError, match="2 latents, but the model has 3"):
        read_ranges(path, 3)
    path.write_text("1,2\nthree\n")
    with pytest.raises(UserError, match="cannot be read"):
        read_ranges(path, 2)
