from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from discovery import TrainableModel
from stacked_capsules.plots import constellation_model
from stacked_capsules.plots.constellation_model import (
    CANVAS_SIZE,
    MARGIN,
    capsule_colors,
    capsule_legend,
    constellation_picture,
    constellation_plots,
    draw_points,
    new_canvas,
)

RED = (255, 0, 0)


def canvas_with(points, shapes=None, **style):
    canvas = new_canvas()
    shapes = np.zeros(len(points), int) if shapes is None else np.asarray(shapes)
    draw_points(canvas, np.asarray(points, float), [RED] * len(points), shapes, **style)
    return np.asarray(canvas)[..., 0] > 0  # [side, side], where there is ink


@pytest.mark.parametrize(
    ("point", "row_and_column"),
    [
        ((-1, -1), (MARGIN, MARGIN)),
        ((1, 1), (MARGIN + CANVAS_SIZE - 1, MARGIN + CANVAS_SIZE - 1)),
        ((1, -1), (MARGIN, MARGIN + CANVAS_SIZE - 1)),
        ((0.5, 0), (MARGIN + CANVAS_SIZE // 2, MARGIN + 3 * CANVAS_SIZE // 4)),
    ],
)
@pytest.mark.parametrize("shape", [0, 1, 2, 3])
def test_a_point_is_drawn_where_it_is(point, row_and_column, shape):
    rows, columns = np.nonzero(canvas_with([point], [shape]))
    np.testing.assert_allclose((rows.mean(), columns.mean()), row_and_column, atol=1.5)


@pytest.mark.parametrize("point", [(1.01, 0), (0, -1.01), (5, 5), (np.nan, 0), (0, np.inf), (-np.inf, 0)])
def test_a_point_off_the_canvas_is_not_drawn(point):
    assert not canvas_with([point]).any()
    assert canvas_with([point, (0, 0)]).any()


def test_shapes_and_outlines_differ():
    inked = [canvas_with([(0, 0)], [shape]) for shape in (0, 1, 2)]
    assert not any(np.array_equal(inked[i], inked[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert canvas_with([(0, 0)], filled=False).sum() < inked[0].sum()


def test_votes_have_the_color_of_their_capsule_and_absent_points_none():
    points = np.array([[[0.0, 0.0], [0.5, 0.5], [-0.5, 0.5]]])
    colors = capsule_colors(3)

    def colors_on_canvas(presence, capsule):
        picture = constellation_picture(
            points, np.array([presence]), np.zeros((1, 3), int), points, np.array([capsule]), np.zeros((1, 3))
        )
        without_legend = picture[:-20].reshape(-1, 3)
        return [(without_legend == color).all(-1).any() for color in colors]

    assert colors_on_canvas([1, 1, 1], [0, 2, 2]) == [True, False, True]
    assert colors_on_canvas([1, 0, 0], [0, 2, 2]) == [True, False, False]
    assert colors_on_canvas([0, 0, 0], [0, 1, 2]) == [False, False, False]


def test_legend_bars_are_as_long_as_capsules_are_present():
    legend = capsule_legend(np.array([[200, 0, 0], [0, 200, 0]]), np.array([0.5, 1.0]), width=100)
    assert (legend == [200, 0, 0]).all(-1).sum(1).max() == pytest.approx(23, abs=1)
    assert (legend == [0, 200, 0]).all(-1).sum(1).max() == pytest.approx(47, abs=1)
    assert np.isfinite(capsule_legend(capsule_colors(3), np.array([np.nan, -1.0, 2.0]), width=300)).all()


@pytest.mark.parametrize("n_caps", [1, 3, 10, 11, 40])
def test_every_capsule_has_its_own_color(n_caps):
    colors = capsule_colors(n_caps)
    assert len(np.unique(colors, axis=0)) == n_caps
    assert colors.max(1).min() > 90  # none is lost on black


class Votes(NamedTuple):
    winner: tf.Tensor
    is_from_capsule: tf.Tensor


class Outputs(NamedTuple):
    votes: Votes
    caps_presence_soft: tf.Tensor


class Copying(TrainableModel):
    def inputs_of(self, batch):
        return batch["corners"], batch["presence"]

    def call(self, inputs, training=False, seed=None):
        corners, presence = inputs
        return Outputs(Votes(corners, tf.cast(presence, tf.int32)), tf.ones([corners.shape[0], 3]))


@pytest.mark.parametrize("n", [1, 3, 20])
def test_of_a_model(n, monkeypatch):
    monkeypatch.setattr(constellation_model, "CANVAS_SIZE", 40)
    rng = np.random.default_rng(0)
    batch = {
        "corners": tf.constant(rng.uniform(-2, 2, (n, 11, 2)), tf.float32),
        "presence": tf.constant(rng.integers(0, 2, (n, 11)), tf.float32),
    }
    picture = constellation_plots(Copying(), batch)["constellations"]
    assert picture.dtype == np.uint8
    with_patterns = constellation_plots(Copying(), {**batch, "pattern_id": rng.integers(0, 3, (n, 11))})
    assert with_patterns["constellations"].shape == picture.shape
