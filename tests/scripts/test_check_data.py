"""What is in the data is counted right, and what is wrong with them is said."""

import hashlib
import inspect
import re
import subprocess

import h5py
import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from discovery.checksums import sha256_of_all
from stacked_capsules.data.mnist import KERAS_SHA256
from tests.samples import sample
from tests.scripts.processes import REPO


def checked(processes, out, *flags):
    """Runs the script; returns what it printed and its picture."""
    ended = processes.run("scripts.check_data", *flags, f"--out={out}")
    assert ended.code == 0, ended.stderr
    with Image.open(out) as picture:
        return ended.stdout, np.asarray(picture)


def shown(picture, image, zoom):
    """Whether an image, uint8 [H, W, 3], is somewhere in a picture."""
    large = image.repeat(zoom, axis=0).repeat(zoom, axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(picture, large.shape)[:, :, 0]
    return (windows == large).all(axis=(2, 3, 4)).any()


def test_digits(processes, tmp_path):
    out, _ = checked(processes, tmp_path / "a.png", "--dataset=digits", "--canvas_size=8")
    assert re.search(r"digits\.csv\.gz: sha256 [0-9a-f]{64}; no published checksum known", out)
    counts = [
        {int(label): int(n.replace(",", "")) for label, n in re.findall(r"(\d): ([\d,]+)(?:, |$)", line)}
        for line in re.findall(r"label: int64, (.*)", out)
    ]
    true = np.bincount(load_digits().target)
    assert [counts[0][label] + counts[1][label] for label in range(10)] == true.tolist()
    assert "validation: 296 images in scikit-learn\n  images: 8x8, 1 channel, uint8 0 to 255" in out


def test_mnist_beside_the_published_checksum(processes, tmp_path):
    assert KERAS_SHA256 in inspect.getsource(keras.datasets.mnist.load_data)
    arrays = {}
    for name, n in (("train", 7), ("test", 3)):
        arrays[f"x_{name}"] = np.full([n, 28, 28], 9 * n, np.uint8)
        arrays[f"y_{name}"] = np.arange(n, dtype=np.uint8) % 2
    np.savez(tmp_path / "mnist.npz", **arrays)
    digest = hashlib.sha256((tmp_path / "mnist.npz").read_bytes()).hexdigest()
    out, picture = checked(processes, tmp_path / "a.png", "--dataset=mnist", f"--data_dir={tmp_path}")
    assert f"sha256 {digest}; differs from the published one, {KERAS_SHA256} (keras/src" in out
    assert "uint8 63 to 63, mean 63\n  label: int64, 0: 4, 1: 3\n" in out
    assert "--canvas_size=28 or more, --n_channels=1 --n_classes=2" in out
    assert shown(picture, np.full([28, 28, 3], 27, np.uint8), 3)


def test_a_folder_of_images_by_class(processes, tmp_path):
    folder = tmp_path / "own"
    for i in range(30):
        path = folder / ("round" if i % 3 else "angular") / f"{i:02d} .png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full([6 + i % 2, 7], 100 + i, np.uint8)).save(path)
    flags = ("--dataset=images", f"--data_dir={folder}", "--canvas_size=5")
    out, _ = checked(processes, tmp_path / "a.png", *flags)
    assert "files: 30, " in out
    assert "15 of 6x7 (L), 15 of 7x7 (L)" in out
    assert "label: int64, 0 angular: 9, 1 round: 18" in out
    assert "label: int64, 0 angular: 1, 1 round: 2" in out
    command = re.search(r"`(find \. .*sha256sum)`", (REPO / "docs/data.md").read_text())[1]
    said = subprocess.check_output(["bash", "-c", command], cwd=folder, text=True)
    assert said.split()[0] in out
    assert sha256_of_all([*folder.rglob("*.png")]) == (said.split()[0], folder)


def test_constellations(processes, tmp_path):
    flags = ("--dataset=constellation", "--which_patterns=1,1", "--drop_prob=0", "--batch_size=4")
    out, picture = checked(processes, tmp_path / "a.png", *flags)
    assert "validation: 1,000 examples" in out
    assert "points: 6 of 2 coordinates, float32 -1 to 1" in out
    assert "points present: 6: 1,000" in out
    assert "objects per example: 2: 1,000" in out
    assert (picture == 0).any()


def test_generated_tetrominoes(processes, tmp_path):
    out, picture = checked(
        processes, tmp_path / "a.png", "--dataset=tetrominoes", "--n_test=12", "--n_train=8"
    )
    assert "files: none, examples are generated" in out
    assert re.findall(r"(\d+) read\n", out) == ["8", "12"]
    assert re.findall(r"objects per scene: (.*)", out) == ["3: 8", "3: 12"]
    assert out.count("pixels in several entities: 0, in 0 scenes\n  pixels in none: 0, in 0 scenes") == 2
    assert re.search(r"factors of 36 visible objects:\n    x: continuous, \d", out)
    assert "    red: discrete, 0 to 1" in out
    assert "--input_size=3,35,35 --K=4 or more" in out
    assert picture.shape[1] > 10 * 2 * 35


def test_files_of_scenes(processes, tmp_path):
    path = sample("data/tiny_tet_1.h5")
    flags = ("--flagfile=configs/tetrominoes.flags", f"--data_path={path}")
    out, picture = checked(processes, tmp_path / "a.png", *flags)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in out
    assert out.count("masks: 4 entities, 35x35, values 0, 255\n") == 2
    assert out.count("objects per scene: 3: 5\n") == 2
    assert "factors: none" in out
    with h5py.File(path) as file:
        assert shown(picture, file["test/imgs"][4], 2)


def test_scenes_of_clevr(processes, tmp_path):
    path = sample("data/tiny_clevr_1.h5")
    out, _ = checked(processes, tmp_path / "a.png", "--dataset=clevr6", f"--data_path={path}")
    with h5py.File(path) as file:
        visible = file["test/factors"][:, 1:, -1] > 0
        x = file["test/factors"][:, 1:, 0][visible]
    assert "scenes with more than 6 objects are passed over" in out
    assert (
        f"factors of {visible.sum()} visible objects:\n    x: continuous, {x.min():.4g} to {x.max():.4g},"
        in out
    )
    assert "images: 96x96, 3 channels" in out
    assert "masks: 7 entities, 192x192" in out


def write_scenes(path, owners=None, size=(6, 6), n=4):
    """Scenes of two objects; pixel (0, 0) of scene 1 and (1, 1) of scene 2 have other masks on demand."""
    masks = np.zeros([n, 3, *size, 1], np.uint8)
    masks[:, 0], masks[:, 0, 2:4, :3], masks[:, 1, 2:4, :2], masks[:, 2, 2:4, 2:3] = 255, 0, 255, 255
    for (scene, row, column), entities in (owners or {}).items():
        masks[scene, :, row, column] = 0
        masks[scene, list(entities), row, column] = 255
    images = np.arange(n * size[0] * size[1] * 3, dtype=np.uint8).reshape(n, *size, 3)
    with h5py.File(path, "w") as file:
        for name in ("train", "test"):
            file[f"{name}/imgs"], file[f"{name}/masks"] = images, masks
    return path


def test_masks_that_overlap_or_leave_gaps_are_counted(processes, tmp_path):
    broken = {(1, 0, 0): (0, 1), (1, 5, 5): (1, 2), (2, 1, 1): ()}
    path = write_scenes(tmp_path / "a.h5", broken)
    flags = ("--dataset=images", f"--data_path={path}", f"--out={tmp_path}/a.png")
    ended = processes.run("scripts.check_data", *flags)
    assert "training: masks are no partition: 2 pixels are in several entities, 1 in none" in ended.mistake
    assert "  pixels in several entities: 2, in 1 scenes\n  pixels in none: 1, in 1 scenes\n" in ended.stdout
    assert "objects per scene: 2: 4\n" in ended.stdout
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("", "--dataset is missing"),
        ("--dataset=mnits", "--dataset=mnits: there is no such data set; choose one of mnist, "),
        ("--dataset=images", "--dataset=images: give --data_dir=FOLDER or, for scenes, --data_path=FOLDER"),
        ("--dataset=clevr6", "--dataset=clevr6 has no generator: give --data_path"),
        ("--dataset=tetrominoes --data_path=nowhere.h5", "nowhere.h5: cannot be read (No such file"),
        ("--dataset=mnist --data_dir=nowhere.npz", "nowhere.npz: no such file"),
        ("--dataset=digits --out=nowhere/a.png", "--out=nowhere/a.png: cannot be written"),
    ],
)
def test_mistakes(processes, flags, message):
    assert message in processes.run("scripts.check_data", *flags.split()).mistake


def test_values_that_training_would_refuse(processes, tmp_path):
    images = np.zeros([4, 28, 28], np.float32)
    images[2, 3, 3] = np.nan
    labels = np.zeros(4, np.int64)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    flags = ("--dataset=mnist", f"--data_dir={tmp_path}/a.npz", f"--out={tmp_path}/a.png")
    mistake = processes.run("scripts.check_data", *flags).mistake
    assert "training: 1 of 4 images hold NaN or infinite values, the first at index 2" in mistake


def test_scenes_that_are_not_square(processes, tmp_path):
    path = write_scenes(tmp_path / "a.h5", size=(6, 8))
    flags = ("--dataset=images", f"--data_path={path}", f"--out={tmp_path}/a.png")
    assert "images of 6x8 pixels: crop or pad them" in processes.run("scripts.check_data", *flags).mistake
