import json

import numpy as np
import pytest
from PIL import Image

from discovery.training.run_folder import write_flags
from discovery.training.save_and_resume import write_snapshot
from scripts.evaluated_run import same_data
from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.data import tfrecord
from stacked_capsules.seeded_models import make_constellation, make_scae

TINY = {"n_part_caps": "3", "n_obj_caps": "2", "canvas_size": "28", "pixel_likelihood": "whole"}


def snapshot_of(model, folder, step, flags):
    """Writes what training would: the weights and the flags."""
    folder.mkdir(exist_ok=True)
    write_flags(folder, flags)
    arrays = {weight.path: np.asarray(weight.value) for weight in model.weights}
    return write_snapshot(folder, step, {**arrays, "global_step": np.int64(step)})


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    model = make_scae(SCAEConfig(n_part_caps=3, n_obj_caps=2, pixel_likelihood="whole"))
    saved = {**TINY, "name": "digits", "dataset": "digits", "model": "scae", "batch_size": "256", "seed": "3"}
    for step in (10, 20):
        snapshot_of(model, folder, step, saved)
    return folder


@pytest.mark.slow
def test_scores_the_newest_snapshot_with_the_flags_of_its_run(processes, digits_run, tmp_path):
    flags = (f"--snapshot={digits_run}", f"--json={tmp_path}/scores.json", "--tsne_figure_name=t.png")
    result = processes.run("scripts.eval_mnist", *flags)
    assert result.code == 0, result.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores == json.loads((digits_run / "eval" / "eval_mnist-20.json").read_text())
    assert "eval_mnist, step 20" in (digits_run / "report.html").read_text()
    assert scores["snapshot"] == str(digits_run / "model.ckpt-20")
    assert (scores["step"], scores["dataset"], scores["seed"]) == (20, "digits", 3)
    assert scores["n_examples"]["train"] + scores["n_examples"]["valid"] == 1797
    for protocol in ("refit", "transfer"):
        for feature in ("prior", "posterior"):
            accuracy = scores["unsupervised"][protocol][feature]
            assert 0.1 <= accuracy["valid"] <= 1.0
            assert f"{feature} presences, {protocol}" in result.stdout
            assert f"{accuracy['train']:.4f}" in result.stdout
        # digits of 8x8, enlarged: k-means groups their pixels well, whatever the model
        assert scores["unsupervised"][protocol]["pixels"]["valid"] > 0.6
        assert f"pixels, {protocol}" in result.stdout
    assert scores["n_pixel_examples"] == scores["n_examples"]
    assert 0.0 <= scores["linear"]["prior"]["valid"] <= 1.0
    with Image.open(digits_run / "t.png") as picture:
        assert picture.size == (880, 800)


@pytest.mark.slow
def test_too_few_images_leave_the_other_scores(processes, digits_run, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
    tfrecord.write(tmp_path / "train.tfrecord", images, np.arange(30) % 10)
    tfrecord.write(tmp_path / "valid.tfrecord", images[:3], np.arange(3))
    data = ("--dataset=tfrecord", f"--data_dir={tmp_path}", f"--json={tmp_path}/scores.json")
    result = processes.run("scripts.eval_mnist", f"--snapshot={digits_run}", *data)
    assert result.code == 0, result.stderr
    assert "warning: no t-SNE picture: t-SNE: needs at least 4 examples, not 3" in result.stdout
    assert result.stderr.count("warning: k-means: 3 valid examples cannot form 10 clusters") == 1
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["tsne_picture"] is None
    assert scores["unsupervised"]["refit"]["prior"]["valid"] is None
    assert 0.0 <= scores["unsupervised"]["refit"]["prior"]["train"] <= 1.0
    assert scores["n_examples"] == {"train": 30, "valid": 3}
    assert 0.0 <= scores["unsupervised"]["transfer"]["prior"]["valid"] <= 1.0


@pytest.mark.slow
def test_scores_with_changed_flags_leave_those_of_the_run_alone(processes, digits_run):
    flags = (f"--snapshot={digits_run}/model.ckpt-10", "--n_train=200", "--seed=3", "--batch_size=256")
    result = processes.run("scripts.eval_mnist", *flags)
    assert result.code == 0, result.stderr
    assert "scored with --n_train=200" in result.stdout
    assert not (digits_run / "eval" / "eval_mnist-10.json").exists()
    scores = json.loads((digits_run / "eval" / "eval_mnist-10.n_train=200.json").read_text())
    assert scores["changed_flags"] == {"n_train": "200"}
    assert scores["data"] == "296 images in scikit-learn"
    assert scores["n_examples"]["train"] == 200
    assert (digits_run / "tsne.n_train=200.png").exists()
    assert "eval_mnist, step 10, with --n_train=200" in (digits_run / "report.html").read_text()


@pytest.mark.slow
def test_a_variant_is_scored_apart_from_the_run(processes, digits_run):
    flags = (f"--snapshot={digits_run}/model.ckpt-10", "--tsne_figure_name=", "--variant=rotation")
    result = processes.run("scripts.eval_mnist", *flags)
    assert result.code == 0, result.stderr
    assert "scored with --variant=rotation" in result.stdout
    assert not (digits_run / "eval" / "eval_mnist-10.json").exists()
    scores = json.loads((digits_run / "eval" / "eval_mnist-10.variant=rotation.json").read_text())
    assert scores["changed_flags"] == {"variant": "rotation"}
    assert scores["data"] == "296 images in scikit-learn (rotation)"
    pixels = scores["unsupervised"]["transfer"]["pixels"]  # of images alone, whatever the model
    assert pixels["train"] > 0.7
    assert 0.3 < pixels["valid"] < pixels["train"]
    assert "eval_mnist, step 10, with --variant=rotation" in (digits_run / "report.html").read_text()


def test_only_downloads_are_the_same_data_anywhere():
    assert same_data("mnist", "/a/mnist.npz", "/b", None)
    assert not same_data("mnist", "/a/mnist.npz", "/a/mine.npz")
    assert not same_data("mnist", "/a/mine.npz", None)
    assert not same_data("tfrecord", "/a", "/b")


def test_flags_given_by_hand_win(processes, digits_run):
    result = processes.run("scripts.eval_mnist", f"--snapshot={digits_run}/model.ckpt-10", "--n_obj_caps=5")
    assert "another architecture" in result.mistake


@pytest.mark.slow
def test_constellations(processes, tmp_path):
    saved = {"model": "constellation", "dataset": "constellation", "batch_size": "8", "name": "points"}
    snapshot = snapshot_of(make_constellation(ConstellationConfig()), tmp_path, 30, saved)
    result = processes.run("scripts.eval_constellation", f"--snapshot={snapshot}", "--n_examples=50")
    assert result.code == 0, result.stderr
    scores = json.loads((tmp_path / "eval" / "eval_constellation-30.n_examples=50.json").read_text())
    assert scores["n_examples"] == 50
    assert 0.3 < scores["segmentation_accuracy"] <= 1.0
    assert f"{scores['segmentation_accuracy']:.4f}" in result.stdout
    assert sum(scores["points_per_capsule"]) == pytest.approx(5.5, abs=1.5)
