import warnings

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from discovery import UserError
from emorl.evaluation.ari_mse_kl import SceneScores, ari_mse_kl
from emorl.metrics.mask_resize import resize_masks
from tests.emorl.evaluation.painted import PaintedModel, painted_scenes, source_of
from tests.emorl.small_models import SIZE, images, make


def test_a_model_that_sees_all_scores_full_marks():
    scenes = painted_scenes(6)
    scores = ari_mse_kl(PaintedModel(), source_of(scenes, 4))
    for score in (scores.ari, scores.ari_all, scores.miou):
        np.testing.assert_array_equal(score, np.ones(6))
    np.testing.assert_allclose(scores.mse, 0, atol=1e-7)
    np.testing.assert_allclose(scores.kl, scenes["image"].mean(axis=(1, 2, 3)), rtol=1e-5)


def test_without_masks_all_other_scores_are_the_same():
    scenes = painted_scenes(3)
    full = ari_mse_kl(PaintedModel(), source_of(scenes, 2))
    with pytest.warns(UserWarning, match="no ARI or IoU is computed"):
        scores = ari_mse_kl(PaintedModel(), source_of({"image": scenes["image"]}, 2))
    assert scores.ari is scores.ari_all is scores.miou is None
    np.testing.assert_array_equal(scores.mse, full.mse)
    np.testing.assert_array_equal(scores.kl, full.kl)
    assert scores.summary()["ARI"] is None
    assert sorted(scores.text_files()) == ["KL.txt", "MSE.txt"]


def test_predictions_are_brought_to_the_size_of_larger_masks():
    scores = ari_mse_kl(PaintedModel(), source_of(painted_scenes(3, enlarged=6), 2))
    assert (scores.ari_all > 0.97).all()  # edges are rounded a little


@pytest.mark.parametrize(("kind", "enlarged"), [("one_layer", 1), ("slot_attention", 3)])
def test_scores_of_each_scene_by_hand(kind, enlarged):
    n, side = 5, enlarged * SIZE
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, [n, SIZE, SIZE]).repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    masks = (labels[:, None] == np.arange(3)[:, None, None]).astype(np.uint8)
    model, image = make(kind), images(n)
    scores = ari_mse_kl(model, source_of({"image": image, "mask": masks}, 3), seed=4)
    for i in range(n):
        outputs = model(image[i : i + 1], training=False, seed=4)
        probabilities = np.exp(outputs.decoding.mask_log_probs)  # [1, K, H, W, 1]
        predicted = resize_masks(probabilities, (side, side)).numpy()[0, ..., 0].argmax(axis=0)
        foreground = labels[i] > 0
        expected = adjusted_rand_score(labels[i][foreground], predicted[foreground])
        np.testing.assert_allclose(scores.ari[i], expected, atol=1e-6)
        expected = adjusted_rand_score(labels[i].ravel(), predicted.ravel())
        np.testing.assert_allclose(scores.ari_all[i], expected, atol=1e-6)
        reconstruction = (probabilities * outputs.decoding.means.numpy()).sum(axis=1)[0]
        np.testing.assert_allclose(scores.mse[i], np.mean((image[i] - reconstruction) ** 2), rtol=1e-4)
        if kind == "one_layer":
            np.testing.assert_allclose(scores.kl[i], outputs.stages[-1].kl[0], rtol=1e-4)
    assert (scores.kl is None) == (kind == "slot_attention")


def test_summary_and_the_original_s_files():
    scores = SceneScores(
        np.array([1.0, 0.5]),
        np.array([0.5, 0.5]),
        np.array([0.25, np.nan]),
        np.array([0.25, 0.5]),
        np.array([0.25, 0.75]),
        np.array([0.125, 0.375]),
        np.array([70.0, 80.0]),
    )
    assert scores.summary() == {
        "ARI": {"mean": 0.75, "std": 0.25},
        "ARI_all": {"mean": 0.5, "std": 0.0},
        "mIoU": {"mean": 0.25, "std": 0.0},
        "SC": {"mean": 0.375, "std": 0.125},
        "mSC": {"mean": 0.5, "std": 0.25},
        "MSE": {"mean": 0.25, "std": 0.125},
        "KL": {"mean": 75.0, "std": 5.0},
    }
    assert scores.text_files() == {
        "ARI.txt": "0.750,0.250\n",
        "MSE.txt": "0.25,0.125\n",
        "KL.txt": "75.0,5.0\n",
    }
    without_kl = scores._replace(kl=None)
    assert without_kl.summary()["KL"] is None
    assert "KL.txt" not in without_kl.text_files()


def test_fewer_slots_than_objects_is_told_once_and_what_it_does():
    n = 4
    owner = np.random.default_rng(0).integers(0, 6, [n, SIZE, SIZE])  # five objects, three slots
    masks = (owner[:, None] == np.arange(6)[:, None, None]).astype(np.uint8)
    source = source_of({"image": images(n), "mask": masks}, 2)
    with pytest.warns(UserWarning, match="5 objects, but 3 slots.*ARI and IoU cannot reach 1") as caught:
        ari_mse_kl(make("slot_attention"), source)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ari_mse_kl(PaintedModel(), source_of(painted_scenes(2), 2))


def test_masks_that_are_no_partition():
    scenes = painted_scenes(2)
    scenes["mask"][1, :, 3, 3] = 1
    with pytest.raises(UserError, match="no partition"):
        ari_mse_kl(PaintedModel(), source_of(scenes, 2))
