import numpy as np
import pytest
import scipy.optimize
from sklearn.metrics import adjusted_rand_score

from emorl.metrics.clevrtex_scores import SCORES, clevrtex_scores, resize_labels


def brute_force(true, pred, n_slots):
    """mIoU, DICE and accuracy with a loop over pairs of masks."""
    n = max(true.max() + 1, n_slots)
    table = np.zeros((n, n))
    dices = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            a, b = true == i, pred == j
            if a.any() and b.any():
                table[i, j] = (a & b).sum() / (a | b).sum()
                dices[i, j] = 2 * (a & b).sum() / (a.sum() + b.sum())
    slots = scipy.optimize.linear_sum_assignment(table.T.T, maximize=True)[1]
    iou, dice = (values[np.arange(n), slots] for values in (table, dices))
    seen = [(true == i).any() or (pred == j).any() for i, j in enumerate(slots)]
    n_true, n_pred = len(np.unique(true)), len(np.unique(pred))
    return {
        "acc": float(n_true == n_pred),
        "mIoU": iou.sum() / sum(seen),
        "mIoU_fg": iou[1:].sum() / (sum(seen) - 1),
        "mIoU_gt": iou.sum() / n_true,
        "DICE": dice.sum() / sum(seen),
        "DICE_FG": dice[1:].sum() / (sum(seen) - 1),
        "ARI": adjusted_rand_score(true.ravel(), pred.ravel()),
        "ARI_FG": adjusted_rand_score(true[true > 0], pred[true > 0]),
    }


@pytest.mark.parametrize(("n_true", "n_slots"), [(4, 4), (6, 3), (3, 7)])
def test_against_a_loop(n_true, n_slots):
    random = np.random.default_rng(n_true)
    true = random.integers(0, n_true, (4, 12, 12))
    true[0, true[0] == n_true - 1] = 0
    pred = np.where(random.random(true.shape) < 0.6, true % n_slots, random.integers(0, n_slots, true.shape))
    pred[1] = 0
    image, reconstruction = random.random((2, 4, 12, 12, 3)).astype(np.float32)
    masks = (pred[:, None] == np.arange(n_slots)[:, None, None]).astype(np.float32)[..., None]
    scores = clevrtex_scores(image, reconstruction, true, masks)
    assert tuple(scores) == SCORES
    np.testing.assert_allclose(scores["MSE"], ((image - reconstruction) ** 2).sum(axis=(1, 2, 3)), rtol=1e-5)
    for i in range(4):
        for name, value in brute_force(true[i], pred[i], n_slots).items():
            np.testing.assert_allclose(scores[name][i], value, atol=1e-6, err_msg=f"{name} of image {i}")
    alone = clevrtex_scores(image[2:3], reconstruction[2:3], true[2:3], masks[2:3])
    for name in SCORES:
        np.testing.assert_allclose(alone[name][0], scores[name][2], rtol=1e-6)


def test_a_perfect_answer():
    true = np.arange(16).reshape(1, 4, 4) // 4
    image = np.zeros((1, 4, 4, 3), np.float32)
    permuted = (3 - true[:, None] == np.arange(6)[:, None, None]).astype(np.float32)
    scores = clevrtex_scores(image, image, true, permuted)
    assert scores.pop("MSE") == 0
    assert all(value == 1 for value in scores.values())


def test_labels_are_resized_by_the_nearest_pixel_up_and_left():
    labels = np.arange(36).reshape(1, 6, 6)
    np.testing.assert_array_equal(resize_labels(labels, (4, 4))[0], labels[0][[0, 1, 3, 4]][:, [0, 1, 3, 4]])
