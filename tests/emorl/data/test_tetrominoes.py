import zlib

import numpy as np
import pytest

from discovery import Seed
from emorl.data.tetrominoes import BEVEL, COLORS, SHAPES, SIZE, draw_tetrominoes, tetromino_scenes
from tests.samples import sample

# Ten real scenes: checksums of image and masks, then shape, color, row and column of each piece.
REAL = [
    (0x9F8618F2, 0x05B833A0, ".#/##/.# r 4 23; #./#./## g 11 17; #./#./## rb 10 6"),
    (0x3673ADAE, 0x728158A3, "###/..# rg 23 17; #./##/#. r 17 4; #./##/.# g 5 9"),
    (0x034EB57E, 0xA728E7B9, "..#/### b 5 18; ##/## gb 22 13; ###/.#. g 1 2"),
    (0xF84E7AAF, 0xB3C3E068, "#./##/#. rb 17 10; ##/## b 2 12; .##/##. rb 25 17"),
    (0x1C80D8AA, 0x3B73A056, "#/#/#/# rg 14 7; #./#./## b 16 24; #./##/#. b 0 2"),
    (0xE3F61675, 0x68A54F87, "###/.#. rg 19 2; ###/#.. rg 3 20; ###/..# gb 14 12"),
    (0x7179132C, 0x2CDE6174, "#./##/.# g 5 13; ##/## rb 5 0; ###/#.. rg 24 20"),
    (0x2EF531DC, 0xBE6291F7, "###/..# gb 24 3; ##./.## gb 14 18; .##/##. rb 11 0"),
    (0x29B59E85, 0xEA9BE19A, "#./##/.# r 19 18; #./##/#. b 9 4; #../### b 4 18"),
    (0xA4C73131, 0xA6A4EB86, ".#/##/.# rb 2 23; #../### rb 23 6; ##/.#/.# rg 8 6"),
]


@pytest.fixture(scope="module")
def many():
    return tetromino_scenes(Seed.of(7), 4096)


def draw_real():
    pieces = [[piece.split() for piece in text.split("; ")] for _, _, text in REAL]
    channels = ["".join(c for c, on in zip("rgb", color, strict=True) if on) for color in COLORS]
    shape = np.array([[SHAPES.index(p[0]) for p in scene] for scene in pieces], np.int32)
    color = np.array([[channels.index(p[1]) for p in scene] for scene in pieces], np.int32)
    corner = np.array([[[int(p[2]), int(p[3])] for p in scene] for scene in pieces], np.int32)
    return draw_tetrominoes(shape, color, corner)


def test_real_scenes_are_redrawn_pixel_for_pixel():
    scenes = draw_real()
    for image, mask, (image_sum, mask_sum, _) in zip(
        scenes.image.numpy(), scenes.mask.numpy(), REAL, strict=True
    ):
        assert zlib.crc32(image.tobytes()) == image_sum
        assert zlib.crc32(mask.tobytes()) == mask_sum


def test_real_scenes_are_redrawn_pixel_for_pixel_against_the_file():
    with np.load(sample("data/tetrominoes_real10.npz")) as real:
        images, masks, pattern = real["images"], real["masks"], real["block_pattern"]
    scenes = draw_real()
    np.testing.assert_array_equal(scenes.image, images)
    np.testing.assert_array_equal(255 * scenes.mask.numpy(), masks)
    np.testing.assert_array_equal(BEVEL, pattern)


def test_masks_are_a_partition_of_whole_pieces(many):
    masks = many.mask.numpy()
    assert set(np.unique(masks)) == {0, 1}
    assert (masks.sum(axis=1) == 1).all()
    assert (masks[:, 1:].sum(axis=(2, 3)) == 4 * 25).all()
    black = (many.image.numpy() == 0).all(axis=-1)
    np.testing.assert_array_equal(black, masks[:, 0] == 1)


def test_seventeen_shapes_and_six_colors_are_uniform_and_as_the_factors_say(many):
    factors = many.factors.numpy()
    np.testing.assert_array_equal(
        factors[:, 0], np.eye(7)[[6] * len(factors)]
    )  # background: visible, no more
    assert (factors[:, 1:, 6] == 1).all()
    shapes, counts = np.unique(factors[:, 1:, 2], return_counts=True)
    np.testing.assert_array_equal(shapes, np.arange(1, 18))
    assert counts.min() > 0.8 * counts.mean()
    colors, counts = np.unique(factors[:, 1:, 3:6].reshape(-1, 3), axis=0, return_counts=True)
    assert len(colors) == 6
    assert counts.min() > 0.9 * counts.mean()
    for mask, image, (x, y, shape, *color, _) in zip(
        many.mask.numpy()[:50, 2], many.image.numpy()[:50], factors[:50, 2], strict=True
    ):
        rows, columns = np.nonzero(mask)
        assert (columns.min(), rows.min()) == (x, y)
        cells = [[c == "#" for c in row] for row in SHAPES[int(shape) - 1].split("/")]
        box = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        np.testing.assert_array_equal(box, np.kron(cells, np.ones((5, 5))))
        np.testing.assert_array_equal(image[mask == 1].max(axis=0), 255 * np.array(color))


def test_positions_reach_every_border(many):
    covered = many.mask.numpy()[:, 1:].max(axis=(0, 1))
    assert covered.shape == (SIZE, SIZE)
    assert covered.all()


def test_shapes_are_17_different_fixed_tetrominoes():
    assert len(set(SHAPES)) == 17
    assert all(s.count("#") == 4 and len({len(row) for row in s.split("/")}) == 1 for s in SHAPES)
    assert ".#./###" not in SHAPES
    assert ".#/.#/##" not in SHAPES


def test_every_piece_finds_a_place_whatever_the_seed():
    # A thousand seeds: one in a million arrangements needs a second round of tries.
    masks = np.concatenate([tetromino_scenes(Seed.of(s), 64).mask.numpy() for s in range(16)])
    assert (masks[:, 1:].sum(axis=(2, 3)) == 100).all()
