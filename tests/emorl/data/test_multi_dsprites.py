import dataclasses

import numpy as np
import pytest

from discovery import Seed
from emorl.data import DataConfig, generator_of, load
from emorl.data.config import SCENE_SETS
from emorl.data.generated import TEST
from emorl.data.multi_dsprites import multi_dsprites_scenes


@pytest.fixture(scope="module")
def scenes():
    return multi_dsprites_scenes(Seed.of(3), 512)


def test_masks_are_a_partition_with_occlusion(scenes):
    masks = scenes.mask.numpy()
    assert masks.shape == (512, 6, 64, 64)
    assert (masks.sum(axis=1) == 1).all()
    areas = masks[:, 1:].sum(axis=(2, 3))  # [n, 5]
    visible = scenes.factors.numpy()[:, 1:, -1] == 1
    assert (areas[~visible] == 0).all()
    scale, shape = scenes.factors.numpy()[:, 1:, 3], scenes.factors.numpy()[:, 1:, 7]
    for kind, area in ((1, 18**2), (2, np.pi * 12 * 8), (3, 3.66 * 81)):
        chosen = visible & (shape == kind)
        share = areas[chosen] / (area * scale[chosen] ** 2)
        assert share.max() == pytest.approx(1.0, abs=0.12)  # whole
        assert 0.02 < (share < 0.9).mean() < 0.7  # partly hidden


def test_two_to_five_sprites(scenes):
    counts = scenes.factors.numpy()[..., -1].sum(axis=1) - 1
    values, n = np.unique(counts, return_counts=True)
    np.testing.assert_array_equal(values, [2, 3, 4, 5])
    assert n.min() > 80
    assert (scenes.factors.numpy()[counts == 2, 3:] == 0).all()


def test_colors_are_flat_on_grey_as_the_factors_say(scenes):
    images, masks, factors = (field.numpy() for field in scenes)
    assert np.ptp(images[masks[:, 0] == 1], axis=-1).max() == 0  # gray
    for image, mask, factor in zip(images[:40], masks[:40], factors[:40], strict=True):
        for entity in range(1, 6):
            pixels = image[mask[entity] == 1]
            np.testing.assert_allclose(
                pixels / 255, np.broadcast_to(factor[entity, 4:7], pixels.shape), atol=2e-3
            )
    sprites = factors[:, 1:][factors[:, 1:, -1] == 1]
    assert sprites[:, 4:7].max(axis=1).min() >= 0.5  # HSV value
    assert len(np.unique(sprites[:, 3])) == 6
    assert len(np.unique(sprites[:, 2])) == 40
    assert set(np.unique(sprites[:, 7])) == {1, 2, 3}


def test_no_sprite_is_cut_off(scenes):
    masks = scenes.mask.numpy()[:, 1:]
    assert masks[..., [0, 1, -2, -1], :].max() == 0
    assert masks[..., [0, 1, -2, -1]].max() == 0


def test_the_sprite_in_front_is_the_later_one(scenes):
    """A sprite that stands at its factors' place but does not own it lies under one of a higher index."""
    masks, factors = scenes.mask.numpy(), scenes.factors.numpy()
    n_hidden = 0
    for mask, factor in zip(masks, factors, strict=True):
        for entity in range(1, 6):
            if factor[entity, -1]:
                x, y = (int(16 + 32 * v) for v in factor[entity, :2])
                owner = mask[:, y, x].argmax()
                assert owner >= entity
                n_hidden += owner > entity
    assert n_hidden > 50


def test_scenes_as_trained_stay_the_same():
    images, masks, factors = (field.numpy() for field in multi_dsprites_scenes(Seed.of(7), 64))
    np.testing.assert_allclose(images.mean(axis=(0, 1, 2)), [121.85245, 120.14358, 119.7603], rtol=1e-4)
    np.testing.assert_allclose(masks.sum(axis=(0, 2, 3)), [227563, 8433, 9267, 7120, 6428, 3333], rtol=1e-3)
    np.testing.assert_allclose(
        factors.sum(axis=(0, 1)),
        [111.48389, 113.32254, 653.61218, 170.9, 119.053, 106.54496, 104.15489, 435, 293],
        rtol=1e-5,
    )


@pytest.mark.parametrize("name", ["", *SCENE_SETS["multi_dsprites"].variants])
def test_a_variant_differs_in_what_it_says_alone(name):
    images, masks, factors = (f.numpy() for f in generator_of("multi_dsprites", name)(Seed.of(3), 256))
    again = generator_of("multi_dsprites", name)(Seed.of(3), 256)
    np.testing.assert_array_equal(images, again.image)
    most = 6 if name == "more_objects" else 5
    assert images.shape == (256, 64, 64, 3)
    assert masks.shape == (256, most + 1, 64, 64)
    assert (masks.sum(axis=1) == 1).all()
    visible = factors[:, 1:, -1] == 1
    assert set(visible.sum(axis=1)) == ({6} if name == "more_objects" else {2, 3, 4, 5})
    assert (masks[:, 1:].sum(axis=(2, 3))[~visible] == 0).all()

    sprites = factors[:, 1:][visible]  # [M, 9]
    scales = set(np.unique(sprites[:, 3]).round(4).tolist())
    assert scales == {
        float(np.float32(s).round(4))
        for s in ((0.3, 0.4, 1.1, 1.2) if name == "scale" else np.linspace(0.5, 1, 6))
    }
    value = sprites[:, 4:7].max(axis=1)
    assert (
        (0.2 <= value.min() < value.max() < 0.5)
        if name == "color"
        else (0.5 <= value.min() < value.max() <= 1)
    )
    low, high = (-0.5, 1.5) if name == "translation" else (0, 1)
    assert sprites[:, :2].min() == low
    assert sprites[:, :2].max() == high
    at_border = masks[:, 1:, [0, -1]].any(axis=(2, 3)) | masks[:, 1:, :, [0, -1]].any(axis=(2, 3))  # [n, S]
    assert at_border.any() == (name == "translation")
    for image, mask, factor in zip(images[:40], masks[:40], factors[:40], strict=True):
        for entity in range(1, most + 1):
            pixels = image[mask[entity] == 1]
            np.testing.assert_allclose(
                pixels / 255, np.broadcast_to(factor[entity, 4:7], pixels.shape), atol=2e-3
            )


def test_smaller_images_show_the_same_scenes(scenes):
    """Each pixel of a smaller image is one of the four that it stands for, but for edges within them."""
    small = multi_dsprites_scenes(Seed.of(3), 512, size=32)
    assert small.image.shape == (512, 32, 32, 3)
    np.testing.assert_array_equal(small.factors, scenes.factors)
    masks, fine = small.mask.numpy(), scenes.mask.numpy()
    assert (masks.sum(axis=1) == 1).all()
    of_four = fine.reshape(512, 6, 32, 2, 32, 2).sum(axis=(3, 5))  # [n, E, 32, 32], of each pixel's four
    assert (of_four[masks == 1] > 0).mean() > 0.999
    np.testing.assert_allclose(masks.sum(axis=(0, 2, 3)) * 4, fine.sum(axis=(0, 2, 3)), rtol=0.01)


def test_options_decide_the_size():
    config = DataConfig("multi_dsprites", batch_size=2, n_test=2, input_size=(3, 32, 32), masks=True)
    data = load(config)
    train, valid = next(iter(data.train(0))), next(iter(data.whole("valid")))
    assert train["image"].shape == valid["image"].shape == (2, 32, 32, 3)
    expected = multi_dsprites_scenes(Seed.of(0).fold(TEST).fold(np.int64(0)), 64, size=32)
    np.testing.assert_array_equal(valid["mask"], expected.mask[:2])
    dark = load(dataclasses.replace(config, variant="color"))
    assert next(iter(dark.whole("valid")))["image"].shape == (2, 32, 32, 3)
