import numpy as np
import pytest

from discovery import UserError
from emorl.evaluation.latents import SlotMover, activeness, find_slots, traversals
from emorl.metrics.disentanglement import latent_ranges, sweep_values, traversal_values, traverse
from tests.emorl.evaluation.painted import COLORS, PaintedModel, painted_scenes, source_of
from tests.emorl.small_models import images, make

KINDS = ["mixture_iodine_gru", "slot_attention"]


def composed(model, slots):
    """Images of slots [..., K, z], all decoded together."""
    decoding = model.decode(slots.reshape([-1, *slots.shape[-2:]]).astype(np.float32))
    pictures = np.sum(np.exp(decoding.mask_log_probs) * decoding.means.numpy(), axis=1)
    return pictures.reshape([*slots.shape[:-2], *pictures.shape[1:]])


@pytest.mark.parametrize("kind", KINDS)
def test_moving_one_slot_equals_decoding_all(kind):
    model = make(kind)
    slots = find_slots(model, source_of({"image": images(2)}, 2), 2).slots[1]  # [K, z]
    values = sweep_values(np.tile([[-2.0, 3.0]], [slots.shape[-1], 1]), 5)  # [z, 5]
    for slot in range(len(slots)):
        expected = composed(model, traverse(slots, slot, values))
        np.testing.assert_allclose(SlotMover(model)(slots, slot, values), expected, atol=2e-6)


def test_a_model_of_one_slot():
    model = make("slot_attention", K=1)
    slots = find_slots(model, source_of({"image": images(1)}, 1), 1).slots[0]
    values = np.tile([[-1.0, 1.0]], [slots.shape[-1], 1])
    expected = composed(model, traverse(slots, 0, values))
    np.testing.assert_allclose(SlotMover(model)(slots, 0, values), expected, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_activeness_is_the_variance_over_the_range(kind):
    model = make(kind)
    found = find_slots(model, source_of({"image": images(4)}, 3), 4)
    ranges = latent_ranges(found.slots)
    moved = np.array([2, 0, 1, 2])
    got = activeness(SlotMover(model), found.slots, ranges, moved=moved)
    for i in range(4):
        pictures = composed(
            model, traverse(found.slots[i], moved[i], sweep_values(ranges))
        )  # [z, 6, H, W, 3]
        expected = pictures.astype(np.float64).var(axis=1, ddof=1).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(got[i], expected, rtol=1e-3, atol=1e-9)


def test_the_seed_decides_which_slots_move():
    model = make("slot_attention")
    found = find_slots(model, source_of({"image": images(6)}, 6), 6)
    ranges = latent_ranges(found.slots)
    one, again, other = (activeness(SlotMover(model), found.slots, ranges, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_squares_go_where_their_latents_say():
    found = find_slots(PaintedModel(), source_of(painted_scenes(3), 2), 3)
    ranges = np.array([[0.0, 22.0], [0.0, 22.0], [8.0, 10.0], [1.0, 1.0]])
    (first, *_) = traversals(SlotMover(PaintedModel()), found, 2, ranges, n_steps=4)
    np.testing.assert_array_equal(first.values, traversal_values(ranges, 4))
    np.testing.assert_array_equal(first.image, found.image[0])
    np.testing.assert_allclose(first.reconstruction, first.image, atol=1e-3)
    for step, top in enumerate(first.values[0]):
        green = np.abs(first.pictures[0, step] - COLORS[2]).max(axis=-1) < 0.01  # [H, W]
        rows = np.flatnonzero(green.any(axis=1))
        side = found.slots[0, 2, 2]
        assert rows.min() == np.ceil(top - 0.5)
        assert len(rows) in (side, side + 1)
    # The other squares stay.
    red = np.abs(first.image - COLORS[1]).max(axis=-1) < 0.01
    np.testing.assert_allclose(
        first.pictures[..., red, :], first.image[red][None, None] + 0 * first.pictures[..., red, :], atol=1e-3
    )


def test_a_slot_that_does_not_exist():
    found = find_slots(PaintedModel(), source_of(painted_scenes(1), 1), 1)
    with pytest.raises(UserError, match="disentangle_slot=4: the model has slots 0 to 3"):
        traversals(SlotMover(PaintedModel()), found, 4, np.zeros([4, 2]))
