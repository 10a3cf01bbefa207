import functools
import itertools
import zlib

import numpy as np
import pytest

from discovery import Seed
from emorl.data import generator_of
from emorl.data.config import SCENE_SETS
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


def test_scenes_as_trained_stay_the_same():
    sums = [zlib.crc32(field.numpy().tobytes()) for field in tetromino_scenes(Seed.of(7), 256)]
    assert sums == [1955488015, 1497794451, 3641694145]  # image, mask, factors


@functools.cache
def variant(name, n=256):
    return [field.numpy() for field in generator_of("tetrominoes", name)(Seed.of(7), n)]


def pieces(factors, blocks):
    """The pixels that each piece covers, also beyond the border: [n][P] sets of (row, column)."""
    found = []
    for scene, sides in zip(factors[:, 1:], blocks, strict=True):
        found.append([])
        for (x, y, shape, *_), side in zip(scene, sides, strict=True):
            cells = np.kron(
                [[c == "#" for c in row] for row in SHAPES[int(shape) - 1].split("/")], np.ones([side, side])
            )
            found[-1].append({(int(y) + r, int(x) + c) for r, c in np.argwhere(cells)})
    return found


@pytest.mark.parametrize("name", ["", *SCENE_SETS["tetrominoes"].variants])
def test_a_variant_differs_in_what_it_says_alone(name):
    images, masks, factors = variant(name)
    n_pieces = 4 if name == "more_objects" else 3
    assert images.dtype == masks.dtype == np.uint8
    assert images.shape == (256, SIZE, SIZE, 3)
    assert masks.shape == (256, n_pieces + 1, SIZE, SIZE)
    assert factors.shape == (256, n_pieces + 1, 7)
    assert (masks.sum(axis=1) == 1).all()
    np.testing.assert_array_equal((images == 0).all(axis=-1), masks[:, 0] == 1)

    palette = {tuple(color) for color in factors[:, 1:, 3:6].reshape(-1, 3).tolist()}
    assert len(palette) == 6
    trained = {tuple(color) for color in COLORS.tolist()}
    assert palette.isdisjoint(trained) if name == "color" else palette == trained

    areas = masks[:, 1:].sum(axis=(2, 3))  # [n, P]
    blocks = np.full(areas.shape, 5)
    if name == "scale":
        blocks = np.sqrt(areas / 4).astype(int)
        assert set(np.unique(areas)) == {4 * 4**2, 4 * 6**2}
        assert (blocks == 4).mean() == pytest.approx(0.5, abs=0.1)
    elif name not in ("occlusion", "translation"):
        assert (areas == 100).all()

    inside = {(row, column) for row in range(SIZE) for column in range(SIZE)}
    for scene, (mask, found) in enumerate(zip(masks, pieces(factors, blocks), strict=True)):
        assert any(a & b for a, b in itertools.combinations(found, 2)) == (name == "occlusion")
        n_seen = [len(piece & inside) for piece in found]
        assert (min(n_seen) < 100) == (name == "translation") or name == "scale"
        if name == "translation":
            assert min(n_seen) >= 50
        for i, piece in enumerate(found):  # later ones lie in front
            seen = (piece & inside).difference(*found[i + 1 :])
            assert {(r, c) for r, c in np.argwhere(mask[i + 1])} == seen
            if seen:  # each pixel is its piece's color times its block's brightness
                colors = images[scene][mask[i + 1] == 1].astype(float)
                level = colors.max(axis=1, keepdims=True)
                np.testing.assert_allclose(colors, level * factors[scene, i + 1, 3:6], atol=0.5)


def test_variants_depend_on_the_seed_alone():
    again = generator_of("tetrominoes", "translation")(Seed.of(7), 256)
    other = generator_of("tetrominoes", "translation")(Seed.of(8), 256)
    for field, same, different in zip(variant("translation"), again, other, strict=True):
        np.testing.assert_array_equal(field, same)
        assert not np.array_equal(field, different)


@pytest.mark.parametrize("side", [3, 4, 6])
def test_blocks_of_any_size_have_the_bevel(side):
    scenes = draw_tetrominoes(
        np.array([[0]], np.int32), np.array([[0]], np.int32), np.array([[[2, 3]]], np.int32), side
    )
    edges = [0, *[2] * (side - 2), 4]
    red = scenes.image.numpy()[0, 2 : 2 + 2 * side, 3 : 3 + 2 * side, 0]
    np.testing.assert_array_equal(red, np.tile(BEVEL[np.ix_(edges, edges)], [2, 2]))
    assert scenes.image.numpy()[..., 1:].max() == 0
    assert scenes.mask.numpy()[0, 1].sum() == 4 * side**2
