"""A user's own files, from a folder to scores, as a user starts it."""

import json

import numpy as np
import pytest
from PIL import Image

from discovery.training.run_folder import read_flags
from tests.scripts.tiny_runs import SCENES, TRAIN

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three classes of ten pictures each, of several sizes."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for i in range(30):
        path = folder / f"class {'abc'[i % 3]}" / f"{i:02d}.{'png' if i % 2 else 'jpg'}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, [30 + i, 40, 3], np.uint8)).save(path)
    return folder


def test_pictures_by_class(processes, pictures, tmp_path):
    own = ("--dataset=images", f"--data_dir={pictures}", f"--logdir={tmp_path}/{{name}}")
    ended = processes.run("scripts.train", *TRAIN, *own)
    assert ended.code == 0, ended.stderr
    assert f"training:   27 images in {pictures}, the center square as" in ended.stdout
    assert f"validation: 3 images in {pictures}: every tenth is held out" in ended.stdout
    assert read_flags(tmp_path / "tiny")["n_classes"] == "3"
    classes = ["class a", "class b", "class c"]
    assert json.loads((tmp_path / "tiny" / "run.json").read_text())["classes"] == classes
    flags = (f"--snapshot={tmp_path}/tiny", f"--json={tmp_path}/scores.json", "--tsne_figure_name=")
    ended = processes.run("scripts.eval_mnist", *flags)
    assert ended.code == 0, ended.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["classes"] == classes
    assert scores["n_examples"] == {"train": 27, "valid": 3}
    mistake = processes.run("scripts.train", *TRAIN, *own, "--n_classes=10", "--name=other").mistake
    assert "set --n_classes=3" in mistake
    assert not (tmp_path / "other").exists()


def test_scenes_without_masks(processes, pictures, tmp_path):
    """A folder as --data_path needs no name of a data set."""
    flags = [flag for flag in SCENES if "dataset" not in flag and "input_size" not in flag]
    own = (f"--data_path={pictures}/class a", "--input_size=3,20,20", "--iters=1", "--name=own")
    ended = processes.run("scripts.train_emorl", *flags, *own, f"--logdir={tmp_path}/{{name}}")
    assert ended.code == 0, ended.stderr
    assert f"training:   9 scenes in {pictures}/class a; without masks" in ended.stdout
    assert read_flags(tmp_path / "own")["dataset"] == "images"
    ended = processes.run(
        "scripts.eval_emorl", f"--snapshot={tmp_path}/own", f"--json={tmp_path}/scores.json"
    )
    assert ended.code == 0, ended.stderr
    assert "warning: the data have no masks" in ended.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert (scores["dataset"], scores["num_images"], scores["ARI"]) == ("images", 1, None)
    assert scores["MSE"]["mean"] > 0
    mistake = processes.run(
        "scripts.eval_emorl", f"--snapshot={tmp_path}/own", "--eval_type=clevrtex"
    ).mistake
    assert "has no masks, which this needs" in mistake
