import numpy as np
import pytest

from emorl.evaluation.latents import SlotMover, Traversal, find_slots, traversals
from emorl.plots import traversal_picture
from tests.emorl.evaluation.painted import PaintedModel, painted_scenes, source_of


@pytest.mark.parametrize(("z", "side"), [(3, 40), (32, 35), (64, 96)])
def test_every_tile_is_there_and_fits_a_screen(z, side):
    grays = np.linspace(0.1, 0.7, 8 * z).reshape(z, 8)
    pictures = grays[..., None, None, None] * np.ones([side, side, 3])
    black = np.zeros([side, side, 3])
    moved = Traversal(pictures, grays, black, black, np.zeros([4, side, side, 1]))
    picture = traversal_picture(moved, 1)
    assert picture.shape[1] <= 1700
    assert np.isin(np.round(255 * grays).astype(np.uint8), np.unique(picture)).all()


def test_squares_move():
    found = find_slots(PaintedModel(), source_of(painted_scenes(1), 1), 1)
    ranges = np.array([[0.0, 22.0], [0.0, 22.0], [6.0, 14.0], [1.0, 3.0]])
    (moved,) = traversals(SlotMover(PaintedModel()), found, 2, ranges)
    picture = traversal_picture(moved, 2)
    assert (picture == 204).any()  # the squares' color, 0.8
