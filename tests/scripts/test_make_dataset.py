import h5py
import numpy as np
import pytest
from PIL import Image

import emorl.data
import stacked_capsules.data
from discovery import UserError


def test_a_file_is_written_and_not_overwritten_by_accident(processes, tmp_path):
    flags = ("--n_train=3", "--n_test=2", f"--out={tmp_path}/a.h5", f"--picture={tmp_path}/a.png")
    assert processes.run("scripts.make_dataset", *flags).code == 0
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["train/imgs"].shape == (3, 35, 35, 3)
        assert file["test/masks"].shape == (2, 4, 35, 35, 1)
        scene = file["test/imgs"][0].repeat(2, axis=0).repeat(2, axis=1)
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, scene.shape)[:, :, 0]
    assert (windows == scene).all(axis=(2, 3, 4)).any()
    mistake = processes.run("scripts.make_dataset", *flags).mistake
    assert mistake.startswith(f"error: {tmp_path}/a.h5 exists")


def test_sprites_are_drawn_at_any_size(processes, tmp_path):
    flags = ("--dataset=multi_dsprites", "--size=16", "--n_train=3", "--n_test=2", f"--out={tmp_path}/a.h5")
    assert processes.run("scripts.make_dataset", *flags).code == 0
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["train/imgs"].shape == (3, 16, 16, 3)
        assert file["test/masks"].shape == (2, 6, 16, 16, 1)


def folder_of_scenes(folder):
    """Ten scenes and masks, those of number i with i % 3 + 1 objects."""
    (folder / "masks").mkdir(parents=True)
    for i in range(10):
        label = np.zeros([9, 9], np.uint8)
        label[1, : i % 3 + 1] = np.arange(i % 3 + 1) + 1
        Image.fromarray(np.full([9, 9, 3], 100 + i, np.uint8)).save(folder / f"{i}.jpg", quality=95)
        Image.fromarray(label).save(folder / "masks" / f"{i}.png")
    return folder


def test_scenes_of_a_folder_are_packed(processes, tmp_path):
    folder, path = folder_of_scenes(tmp_path / "scenes"), tmp_path / "a.h5"
    flags = (f"--data_path={folder}", "--size=9", f"--picture={tmp_path}/a.png")
    ended = processes.run("scripts.make_dataset", *flags, f"--out={path}")
    assert ended.code == 0, ended.stderr
    assert f"--dataset=images --data_path={path} --input_size=3,9,9" in ended.stdout
    own, packed = (
        emorl.data.DataConfig("images", str(p), input_size=(3, 9, 9), masks=True) for p in (folder, path)
    )
    for name in ("train", "valid"):
        one, other = (next(iter(emorl.data.load(config).whole(name))) for config in (own, packed))
        assert one["mask"].shape[1] == 4
        for key in ("image", "mask"):
            np.testing.assert_array_equal(one[key], other[key])
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 100
    assert f"{path} exists" in processes.run("scripts.make_dataset", *flags, f"--out={path}").mistake
    (folder / "3.jpg").write_bytes(b"")
    mistake = processes.run("scripts.make_dataset", *flags, f"--out={path}", "--overwrite").mistake
    assert "3.jpg: cannot be read as PNG or JPEG" in mistake
    assert len(emorl.data.load(packed).classes) == 0  # the earlier file is whole


def test_images_by_class_are_packed(processes, tmp_path):
    for i in range(20):
        path = tmp_path / "own" / ("round" if i % 2 else "angular") / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full([6, 7], 100 + i, np.uint8)).save(path)
    flags = (f"--data_path={tmp_path}/own", "--size=5", f"--out={tmp_path}/packed")
    ended = processes.run("scripts.make_dataset", *flags)
    assert ended.code == 0, ended.stderr
    assert ended.stdout.rstrip().endswith("--canvas_size=5 --n_channels=1 --n_classes=2")
    options = {"canvas_size": 5, "n_classes": 2}
    own, packed = (
        stacked_capsules.data.load(stacked_capsules.data.DataConfig(name, f"{tmp_path}/{place}", **options))
        for name, place in (("images", "own"), ("tfrecord", "packed"))
    )
    assert own.classes == packed.classes == ("angular", "round")
    for name in ("train", "valid"):
        one, other = (next(iter(source.whole(name))) for source in (own, packed))
        for key in ("image", "label"):
            np.testing.assert_array_equal(one[key], other[key])
    ten = stacked_capsules.data.DataConfig("tfrecord", f"{tmp_path}/packed", canvas_size=5)
    with pytest.raises(UserError, match="packed: has 2 classes; set --n_classes=2"):
        stacked_capsules.data.load(ten)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--dataset=images --out=a.h5", "--dataset=images: give --data_path"),
        ("--dataset=tetrominoes --data_path=. --out=a.h5", "--dataset=tetrominoes is generated"),
        ("--data_path=. --out=a.h5 --n_test=5", "--n_test=5 is for generated scenes"),
        ("--data_path=. --out=a.h5 --n_channels=3", "--n_channels=3 is for TFRecords"),
        ("--out=a.h5 --size=5", "--size=5 is for a folder of images"),
        ("--data_path=. --out=a.tfrecord", "--out=a.tfrecord: name a file that ends in .h5"),
        ("--data_path=nowhere --out=a.h5", "nowhere: cannot be opened as a folder of images"),
    ],
)
def test_mistakes(processes, flags, message):
    assert message in processes.run("scripts.make_dataset", *flags.split()).mistake
