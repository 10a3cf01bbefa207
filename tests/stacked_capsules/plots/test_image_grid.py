import numpy as np

from stacked_capsules.plots.image_grid import GAP, as_pixels, image_grid, stacked, with_bars, wrapped_grid


def test_tiles_lie_in_order_and_are_enlarged():
    tiles = np.arange(6).reshape(2, 3, 1, 1, 1) / 10.0 * np.ones((2, 3, 2, 2, 1))
    picture = image_grid(tiles, zoom=2)
    side = 4 + GAP
    assert picture.shape == (2 * side, 3 * side, 3)
    for row in range(2):
        for column in range(3):
            tile = picture[row * side : row * side + 4, column * side : column * side + 4]
            assert (tile == round(25.5 * (3 * row + column))).all()
            assert (picture[row * side + 4 : (row + 1) * side] == 255).all()


def test_labels_add_room_and_ink_but_leave_the_tiles_alone():
    tiles = np.zeros((2, 3, 8, 8, 1))
    plain = image_grid(tiles, zoom=4)
    labelled = image_grid(tiles, ["a", "b", "c\nd"], ["first", "second"], zoom=4)
    top, left = (labelled.shape[axis] - plain.shape[axis] for axis in (0, 1))
    assert top > 20
    assert left > 20
    np.testing.assert_array_equal(labelled[top:, left:], plain)
    assert (labelled[:top] < 128).any()
    assert (labelled[top:, :left] < 128).any()


def test_pixels_are_clipped_and_nan_is_seen():
    pixels = as_pixels(np.array([[-1.0], [0.5], [2.0], [np.nan], [np.inf]]))
    np.testing.assert_array_equal(pixels, [[0] * 3, [128] * 3, [255] * 3, [255, 0, 255], [255] * 3])


def test_other_numbers_of_channels_are_shown_by_their_mean():
    np.testing.assert_array_equal(as_pixels(np.array([0.0, 1.0])), [128] * 3)
    np.testing.assert_array_equal(as_pixels(np.array([0.0, 0.2, 0.6, 0.8])), [102] * 3)
    assert with_bars(np.zeros((1, 1, 10, 10, 4)), np.zeros((1, 1))).shape == (1, 1, 13, 10, 3)


def test_a_bar_is_as_long_as_its_value():
    tiles = with_bars(np.zeros((1, 4, 10, 10, 1)), np.array([[0.0, 0.5, 1.0, np.nan]]))
    assert tiles.shape == (1, 4, 13, 10, 3)
    lit = tiles[0, :, -1, :, 0] > 0.5  # [4, 10]
    np.testing.assert_array_equal(lit.sum(1), [0, 5, 10, 0])


def test_long_rows_are_broken_without_losing_a_tile():
    values = np.linspace(0.1, 0.9, 2 * 40).reshape(2, 40)
    picture = wrapped_grid(values[..., None, None, None] * np.ones((6, 6, 3)), list(map(str, range(40))))
    assert picture.shape[1] < 1000
    present = np.unique(picture.reshape(-1, 3), axis=0)[:, 0]
    assert np.isin(np.round(255 * values).astype(np.uint8), present).all()


def test_stacked():
    picture = stacked([np.zeros((2, 3, 3), np.uint8), np.zeros((1, 5, 3), np.uint8)], gap=1)
    np.testing.assert_array_equal(
        picture[..., 0] == 0, [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]
    )
