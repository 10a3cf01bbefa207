"""A folder of one's own images becomes batches, labels and names of classes."""

import numpy as np
import pytest
from PIL import Image

from discovery import UserError
from stacked_capsules.data import DataConfig, load


def write(path, gray, size=(6, 9)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, gray).save(path)


@pytest.fixture
def folder(tmp_path):
    """Twelve images of each of two classes, as bright as their numbers tell."""
    for i in range(12):
        write(tmp_path / "round" / f"{i:02d}.png", 100 + i)
        write(tmp_path / "angular" / f"{i:02d}.jpg", 200 + i, size=(11, 5))
    return tmp_path


def config(folder, **options):
    return DataConfig(
        dataset="images",
        data_dir=str(folder),
        **{"canvas_size": 8, "n_classes": 2, "batch_size": 4} | options,
    )


def test_images_labels_and_names(folder):
    source = load(config(folder))
    assert source.classes == ("angular", "round")
    train, valid = (list(source.whole(name).as_numpy_iterator()) for name in ("train", "valid"))
    labels = np.concatenate([batch["label"] for batch in train])
    np.testing.assert_array_equal(labels[:8], [0, 1] * 4)
    assert len(labels) == 22
    images = np.concatenate([batch["image"] for batch in train])
    assert images.shape == (22, 8, 8, 1)
    np.testing.assert_array_equal(images.mean(axis=(1, 2, 3)) > 0.6, labels == 0)
    # the 10th and the 20th of all: angular/09.jpg, round/07.png
    np.testing.assert_allclose(valid[0]["image"][:, 0, 0, 0] * 255, [209, 107], atol=1e-3)
    np.testing.assert_array_equal(valid[0]["label"], [0, 1])
    what = "the center square as 8x8 in gray; classes: angular (0), round (1)"
    assert source.sets == {
        "train": f"22 images in {folder}, {what}",
        "valid": f"2 images in {folder}: every tenth is held out",
    }


def test_color_and_no_classes(folder):
    source = load(config(folder / "round", n_channels=3, canvas_size=5))
    assert source.train(0).element_spec["image"].shape == (4, 5, 5, 3)
    assert "label" not in source.train(0).element_spec
    assert source.sets["train"].endswith("5x5 in color; classes: none")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_classes": 10}, "has 2 classes; set --n_classes=2"),
        ({"n_channels": 2}, r"--n_channels=2: image files are read as gray \(1\) or color \(3\)"),
        ({"canvas_size": 0}, "--canvas_size=0: must be at least 1"),
        ({"data_dir": None}, "set --data_dir to a folder of PNG or JPEG files"),
        ({"n_train": 23}, "images has 22 training examples"),
    ],
)
def test_options_that_do_not_fit(folder, options, message):
    with pytest.raises(UserError, match=message):
        load(config(**{"folder": folder} | options) if "data_dir" not in options else DataConfig("images"))


def test_files_that_do_not_fit(folder):
    with pytest.raises(UserError, match=r"00\.png: is a file; set --data_dir to the folder"):
        load(config(folder / "round" / "00.png"))
    (folder / "round" / "03.png").write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match=r"round/03\.png: cannot be read as PNG or JPEG"):
        load(config(folder))


def test_black_images(tmp_path):
    for i in range(10):
        write(tmp_path / f"{i}.png", 1)
    with pytest.raises(UserError, match="the brightest value of all images is 1 of 255"):
        load(config(tmp_path))
