import numpy as np
import pytest

from emorl.plots.image_table import FULL_WIDTH, GAP, Block, as_pixels, below_each_other, image_table


def tiles(R, N, H, W, low=0.1):
    """Tiles of one gray each, all different."""
    grays = np.linspace(low, 0.7, R * N).reshape(R, N, 1, 1, 1)
    return grays * np.ones([R, N, H, W, 1]), np.round(255 * grays[..., 0, 0, 0]).astype(np.uint8)


def test_tiles_lie_in_order_block_after_block():
    (left, left_greys), (right, right_greys) = tiles(2, 3, 9, 8), tiles(2, 1, 9, 8, low=0.5)
    picture = image_table([Block("a", left), Block("b", right)], zoom=2)
    height, width = 18 + GAP, 16 + GAP
    top = picture.shape[0] - 2 * height
    assert (picture[:top] < 128).any()  # the titles
    second = picture.shape[1] - width
    for row in range(2):
        rows = slice(top + row * height, top + row * height + 18)
        for column in range(3):
            assert (picture[rows, column * width : column * width + 16] == left_greys[row, column]).all()
        assert (picture[rows, second : second + 16] == right_greys[row, 0]).all()


def test_names_stand_left_of_their_rows_and_move_nothing_else():
    block = Block("a", tiles(3, 2, 20, 20)[0])
    plain, named = image_table([block], zoom=1), image_table([block], ["first", "2nd", "third"], zoom=1)
    left = named.shape[1] - plain.shape[1]
    np.testing.assert_array_equal(named[:, left:], plain)
    top = plain.shape[0] - 3 * 22
    for row in range(3):
        assert (named[top + row * 22 : top + (row + 1) * 22, :left] < 128).any()


def test_a_tile_of_nan_is_left_out_and_a_white_one_is_seen():
    with_gap = np.full([1, 2, 6, 6, 3], np.nan)
    with_gap[0, 1] = 1.0
    picture = image_table([Block("", with_gap)], zoom=1)[-8:]
    assert (picture[:, :8] == 255).all()
    assert (picture[:, 8:] < 255).any()


def test_wide_tables_are_broken_between_blocks():
    blocks = [Block(name, tiles(2, 9, 100, 100)[0]) for name in "abc"]
    picture = image_table(blocks, ["first", "second"])
    assert picture.shape[1] < FULL_WIDTH
    present = np.unique(picture)
    assert np.isin(tiles(2, 9, 100, 100)[1], present).all()
    assert picture.shape[0] > 6 * 100


@pytest.mark.parametrize("N", [1, 2, 5])
def test_small_tiles_are_enlarged_as_fits(N):
    picture = image_table([Block("", tiles(1, N, 10, 10)[0])])
    assert picture.shape[1] == N * (40 + GAP)


def test_below_each_other():
    picture = below_each_other([np.zeros((2, 3, 3), np.uint8), np.zeros((1, 5, 3), np.uint8)])
    assert picture.shape == (2 + 14 + 1, 5, 3)
    np.testing.assert_array_equal(picture[[0, 1, 16], :, 0] == 0, [[1, 1, 1, 0, 0]] * 2 + [[1] * 5])
    assert (picture[2:16] == 255).all()


def test_pixels():
    values = np.array([[-1.0], [0.5], [2.0], [np.nan]])
    np.testing.assert_array_equal(as_pixels(values), [[0] * 3, [128] * 3, [255] * 3, [255, 0, 255]])
