import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import adjusted_rand_score

from discovery import UserError
from emorl.metrics.adjusted_rand_index import adjusted_rand_index


def expected(true, pred, foreground_only):
    scores = []
    for t, p in zip(true.reshape(len(true), -1), pred.reshape(len(true), -1), strict=True):
        kept = t > 0 if foreground_only else t >= 0
        scores.append(adjusted_rand_score(t[kept], p[kept]))
    return scores


def degenerate():
    """Label maps of 3x4 pixels, true and predicted."""
    zeros = np.zeros(12, int)
    ones, each = zeros + 1, np.arange(12)
    half, other = each // 6, each % 2
    two_pixels = np.where(each < 2, each + 1, 0)
    pairs = [
        (zeros, zeros),  # nothing but background
        (zeros, half),
        (ones, zeros),  # one object, one slot
        (ones, half),
        (ones, each),  # a slot for each pixel
        (each, each),
        (each, zeros),
        (half, half),
        (half, 1 - half),
        (half, other),
        (two_pixels, each),  # two objects of a pixel each
        (two_pixels, zeros),
        (np.eye(12, dtype=int)[0], half),  # one pixel
    ]
    return (np.array(maps).reshape(-1, 3, 4) for maps in zip(*pairs, strict=True))


@pytest.mark.parametrize("foreground_only", [True, False])
def test_random_labels_against_scikit_learn(foreground_only):
    random = np.random.default_rng(0)
    for n_true, n_pred in ((2, 2), (4, 7), (11, 3), (1, 5)):
        true = random.integers(0, n_true, (5, 16, 16))
        pred = np.where(
            random.random(true.shape) < 0.5, true % n_pred, random.integers(0, n_pred, true.shape)
        )
        got = adjusted_rand_index(true, pred, foreground_only)
        np.testing.assert_allclose(got, expected(true, pred, foreground_only), atol=1e-6)


@pytest.mark.parametrize("foreground_only", [True, False])
def test_degenerate_labels_against_scikit_learn(foreground_only):
    true, pred = degenerate()
    got = adjusted_rand_index(true, pred, foreground_only)
    np.testing.assert_allclose(got, expected(true, pred, foreground_only), atol=1e-6)


def test_large_images_are_exact():
    random = np.random.default_rng(1)
    true = random.integers(0, 7, (1, 192, 192))
    pred = np.where(random.random(true.shape) < 0.999, true, 0)
    got = adjusted_rand_index(true, pred, foreground_only=False)
    np.testing.assert_allclose(got, expected(true, pred, False), rtol=1e-7)


def test_all_encodings_agree():
    random = np.random.default_rng(2)
    labels = random.integers(0, 4, (3, 8, 8))
    one_hot = (labels[:, None] == np.arange(4)[:, None, None]).astype(np.uint8)  # [B, E, H, W]
    scores = random.random((3, 5, 8, 8)).astype(np.float32)
    reference = adjusted_rand_index(labels, scores.argmax(axis=1))
    trues = [
        labels[:, None],
        one_hot,
        255 * one_hot,
        one_hot.astype(np.float32),
        one_hot[:, :, None],
        one_hot[..., None],
        255.0 * one_hot[..., None],
    ]
    for true in trues:
        for pred in (scores, scores[..., None], scores[:, :, None], np.log(scores)[..., None]):
            np.testing.assert_array_equal(adjusted_rand_index(true, pred), reference)


def test_slots_and_entities_may_be_in_any_order():
    random = np.random.default_rng(3)
    labels, scores = random.integers(0, 4, (2, 8, 8)), random.random((2, 5, 8, 8))
    objects_shuffled = np.array([0, 3, 1, 2])[labels]
    np.testing.assert_allclose(
        adjusted_rand_index(objects_shuffled, scores[:, ::-1]), adjusted_rand_index(labels, scores)
    )


def test_in_a_graph_and_under_xla():
    random = np.random.default_rng(4)
    true = (random.integers(0, 4, (3, 1, 8, 8)) == np.arange(4)[:, None, None]).astype(np.uint8)
    pred = random.random((3, 5, 8, 8)).astype(np.float32)
    eager = adjusted_rand_index(true, pred)
    for xla in (False, True):
        np.testing.assert_allclose(
            tf.function(adjusted_rand_index, jit_compile=xla)(true, pred), eager, rtol=1e-6
        )
    unknown_batch = tf.function(
        adjusted_rand_index,
        input_signature=[tf.TensorSpec([None, 4, 8, 8], tf.uint8), tf.TensorSpec([None, 5, 8, 8])],
    )
    np.testing.assert_allclose(unknown_batch(true[:2], pred[:2]), eager[:2], rtol=1e-6)


def test_masks_that_are_no_partition_or_of_another_size():
    one_hot = (np.arange(4).reshape(1, 1, 2, 2) == np.arange(4)[:, None, None]).astype(np.uint8)
    pred = np.zeros((1, 3, 2, 2), np.float32)
    twice, nowhere, soft = one_hot.copy(), one_hot.copy(), 128 * one_hot
    twice[0, :2] = 1
    nowhere[..., 0, 0] = 0
    mixed = one_hot.copy()
    mixed[0, 3] *= 255
    for masks in (twice, nowhere, soft, mixed):
        with pytest.raises(UserError, match="no partition"):
            adjusted_rand_index(masks, pred)
    with pytest.raises(UserError, match="resize_masks"):
        adjusted_rand_index(one_hot, np.zeros((1, 3, 4, 4), np.float32))
    with pytest.raises(UserError, match="neither labels nor entities"):
        adjusted_rand_index(np.zeros((1, 2, 2), np.float32), pred)
