import numpy as np
import pytest

from emorl.evaluation.stage_views import StageViews, stage_names, stage_views
from emorl.plots import emorl_plots, stages_picture
from emorl.plots.segmentation_colors import segmentation_colors
from emorl.plots.slots import segmentation_picture
from tests.emorl.evaluation.painted import COLORS, PaintedModel, painted_scenes
from tests.emorl.small_models import SIZE, images, make


@pytest.mark.parametrize("kind", ["one_layer", "no_layer", "slot_attention"])
def test_pictures_of_every_kind_of_model(kind):
    pictures = emorl_plots(make(kind), {"image": images(3)}, n_examples=2)
    names = {"reconstructions", "slots", "masks", "attention", "stages"}
    assert set(pictures) == names - ({"attention"} if kind == "no_layer" else set())
    for name, picture in pictures.items():
        assert picture.dtype == np.uint8, name
        assert picture.shape[2:] == (3,), name
        assert min(picture.shape[:2]) > SIZE, name
        assert len(np.unique(picture)) > 4, name


def test_pictures_show_what_the_model_sees():
    scenes = painted_scenes(2, enlarged=2)  # masks larger than images
    pictures = emorl_plots(PaintedModel(), scenes)
    for name in ("reconstructions", "slots"):
        pixels = {tuple(pixel) for pixel in pictures[name].reshape(-1, 3)}
        for color in COLORS:
            assert tuple(np.round(255 * color).astype(int)) in pixels, name
    without = emorl_plots(PaintedModel(), {"image": scenes["image"]})
    assert without["reconstructions"].shape[1] < pictures["reconstructions"].shape[1]


def test_decoded_stages_fill_the_last_rows_and_attention_the_first():
    model = make("slot_attention")
    views = stage_views(model, images(1))
    names = stage_names(model, views)
    assert names == ["iteration 1", "iteration 2", "iteration 3"]
    row = StageViews(*(view[0].numpy() for view in views))
    picture = stages_picture(images(1)[0].numpy(), row, names)
    height = picture.shape[0] // 3
    marked = row._replace(reconstruction=np.ones_like(row.reconstruction) * [0.0, 0.0, 1.0])
    changed = (stages_picture(images(1)[0].numpy(), marked, names) != picture).any(axis=(1, 2))
    assert np.flatnonzero(changed).min() > 2 * height  # the reconstruction is in the last row
    marked = row._replace(attention=np.concatenate([0 * row.attention[:1], row.attention[1:]]))
    changed = (stages_picture(images(1)[0].numpy(), marked, names) != picture).any(axis=(1, 2))
    assert np.flatnonzero(changed).max() < 1.3 * height  # the first map of attention in the first


def test_segmentations():
    masks = np.random.default_rng(0).dirichlet(np.ones(5), [2, 8, 8]).transpose(0, 3, 1, 2)[..., None]
    picture = segmentation_picture(masks)  # [2, 8, 8, 3]
    labels = masks[..., 0].argmax(axis=1)
    np.testing.assert_array_equal(picture, segmentation_colors(labels))
    colors = segmentation_colors(np.arange(12)[None], background=True)[0]
    np.testing.assert_array_equal(colors[0], 0)
    distances = np.linalg.norm(colors[:, None] - colors, axis=-1) + 9 * np.eye(12)
    assert distances.min() > 0.1  # no two look alike
