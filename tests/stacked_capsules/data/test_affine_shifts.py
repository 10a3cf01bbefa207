import numpy as np
import pytest

from discovery import Seed, UserError
from stacked_capsules.data import DataConfig, load
from stacked_capsules.data.affine_shifts import MAX_DEGREES, SCALES, affine, room, shifted
from stacked_capsules.data.config import VARIANTS


@pytest.fixture(scope="module")
def images():
    """Bytes [6, 12, 12, 1] whose border of two pixels is empty, of one image of one more."""
    images = np.zeros([6, 12, 12, 1], np.uint8)
    images[:, 2:-2, 2:-2] = np.random.default_rng(0).integers(1, 256, [6, 8, 8, 1])
    images[0, 2] = images[0, :, 2] = 0
    return images


def test_no_shift_changes_nothing(images):
    zeros, ones = np.zeros([6, 2]), np.ones([6, 2])
    np.testing.assert_array_equal(affine(images, zeros[:, 0], ones, zeros), images)
    floats = np.random.default_rng(1).uniform(size=[3, 5, 7, 2]).astype(np.float32)  # neither square nor gray
    np.testing.assert_array_equal(affine(floats, np.zeros(3), np.ones([3, 2]), np.zeros([3, 2])), floats)


@pytest.mark.parametrize("turns", [1, 2, -1])
def test_quarter_turns_are_exact(images, turns):
    turned = affine(images, np.full(6, 90.0 * turns), np.ones([6, 2]), np.zeros([6, 2]))
    np.testing.assert_array_equal(turned, np.rot90(images, turns, axes=(1, 2)))


def test_scale_is_of_height_and_width():
    rows, columns = np.mgrid[:41, :41] - 20.0
    blob = np.exp(-(rows**2 + columns**2) / (2 * 3**2)).astype(np.float32)  # standard deviations of 3 pixels
    scaled = affine(blob[None, ..., None], np.zeros(1), np.array([[1.5, 0.5]]), np.zeros([1, 2]))[0, ..., 0]
    assert scaled.sum() == pytest.approx(blob.sum() * 1.5 * 0.5, rel=0.01)
    assert np.sqrt((scaled * rows**2).sum() / scaled.sum()) == pytest.approx(3 * 1.5, rel=0.02)
    assert np.sqrt((scaled * columns**2).sum() / scaled.sum()) == pytest.approx(3 * 0.5, rel=0.02)
    assert 0 <= scaled.min() < scaled.max() <= 1


def test_moved_pixels_are_shared_bilinearly():
    image = np.zeros([1, 5, 5, 1], np.float32)
    image[0, 2, 2] = 1.0
    moved = affine(image, np.zeros(1), np.ones([1, 2]), np.array([[1.0, -0.25]]))[0, ..., 0]
    expected = np.zeros([5, 5])
    expected[3, 1:3] = 0.25, 0.75
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_translations_keep_all_that_is_not_zero(images):
    low, high = room(images)
    np.testing.assert_array_equal(low, [[-3, -3]] + [[-2, -2]] * 5)
    np.testing.assert_array_equal(high, [[2, 2]] * 6)
    many = np.repeat(images, 200, axis=0)  # [1200, 12, 12, 1], more than are sampled at a time
    moved = shifted(many, "translation", Seed.of(0))
    np.testing.assert_array_equal(moved.sum(axis=(1, 2, 3)), many.sum(axis=(1, 2, 3)))
    places = {tuple(np.argwhere(image[..., 0]).min(axis=0).tolist()) for image in moved[200:]}
    assert places == {(row, column) for row in range(5) for column in range(5)}
    with pytest.raises(UserError, match=r"--variant=translation: .* none can be moved"):
        shifted(np.ones([3, 5, 5, 3], np.float32), "translation", Seed.of(0))
    many[7] = 0
    assert not shifted(many, "translation", Seed.of(0))[7].any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_image_has_a_draw_of_its_own(images, variant):
    same = np.repeat(images[1:2], 64, axis=0)
    once, again, other = (shifted(same, variant, Seed.of(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert len(np.unique(once, axis=0)) > 20
    assert once.dtype == np.uint8
    floats = shifted(same / np.float32(255), variant, Seed.of(0))
    np.testing.assert_allclose(floats * 255, once, atol=0.51)
    assert 0 <= floats.min() <= floats.max() <= 1


def test_draws_fill_the_stated_ranges():
    bar = np.zeros([500, 41, 41, 1], np.float32)
    bar[:, 20, 10:31] = 1.0
    turned = shifted(bar, "rotation", Seed.of(2))[..., 0]
    rows, columns = np.mgrid[:41, :41] - 20.0
    slopes = (turned * rows * columns).sum(axis=(1, 2)) / (turned * columns**2).sum(axis=(1, 2))
    degrees = -np.degrees(np.arctan(slopes))
    assert np.abs(degrees).max() == pytest.approx(MAX_DEGREES, abs=0.5)
    assert np.mean(degrees) == pytest.approx(0, abs=2)
    widths = shifted(bar, "scale", Seed.of(2))[:, 20, :, 0].sum(axis=1) / 21
    assert widths.min() == pytest.approx(SCALES[0], abs=0.02)
    assert widths.max() == pytest.approx(SCALES[1], abs=0.02)


def test_only_validation_images_are_shifted():
    plain, turned = (
        load(DataConfig("digits", canvas_size=16, batch_size=64, variant=v)) for v in (None, "rotation")
    )
    for name in ("train", "valid"):
        a, b = (next(iter(source.whole(name))) for source in (plain, turned))
        np.testing.assert_array_equal(a["label"], b["label"])
        assert (a["image"].numpy() == b["image"].numpy()).all() == (name == "train")
        assert plain.sets["train"] == turned.sets["train"]
    assert turned.sets["valid"] == f"{plain.sets['valid']} (rotation)"
    small = load(DataConfig("digits", canvas_size=16, batch_size=5, variant="rotation", seed=1))
    np.testing.assert_array_equal(next(iter(small.whole("valid")))["image"], b["image"][:5])


@pytest.mark.parametrize(("dataset", "variant"), [("digits", "shear"), ("constellation", "rotation")])
def test_wrong_variants(dataset, variant):
    with pytest.raises(UserError, match=f"--variant={variant}: "):
        load(DataConfig(dataset, variant=variant))
