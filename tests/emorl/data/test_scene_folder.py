"""A folder of one's own scenes, with masks and without, becomes batches."""

import numpy as np
import pytest
from PIL import Image

from discovery import UserError
from emorl.data import DataConfig, has_masks, load

SIZE = 8


def scene(number, n_objects=2):
    """A bright scene that tells its number, and its mask."""
    image = np.full([SIZE, SIZE, 3], 100 + number, np.uint8)
    label = np.zeros([SIZE, SIZE], np.uint8)
    for i in range(n_objects):
        label[2 * i, number % SIZE] = i + 1
    return image, label


def write(folder, n, masks=True, first=0, n_objects=2):
    for i in range(first, first + n):
        image, label = scene(i, n_objects)
        for place, values in ((folder, image), (folder / "masks", label)):
            if masks or place == folder:
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values).save(place / f"{i:03d}.png")
    return folder


def config(folder, **options):
    options = {"batch_size": 4, "input_size": (3, SIZE, SIZE), "shuffle": False} | options
    return DataConfig("images", str(folder), **options)


def whole(source, name):
    batches = list(source.whole(name).as_numpy_iterator())
    return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def numbers(batch):
    return np.rint(batch["image"][:, 0, 0, 0] * 255).astype(int) - 100


def test_scenes_and_masks(tmp_path):
    source = load(config(write(tmp_path, 20), masks=True))
    valid, train = whole(source, "valid"), whole(source, "train")
    np.testing.assert_array_equal(numbers(valid), [9, 19])
    np.testing.assert_array_equal(numbers(train), np.delete(np.arange(20), [9, 19]))
    assert valid["mask"].shape == (2, 3, SIZE, SIZE)
    np.testing.assert_array_equal(valid["mask"].argmax(axis=1), [scene(i)[1] for i in (9, 19)])
    assert source.sets == {
        "train": f"18 scenes in {tmp_path}; with masks",
        "valid": f"2 scenes in {tmp_path}: every tenth is held out; with masks",
    }


def test_each_epoch_has_every_scene_in_another_order(tmp_path):
    source = load(config(write(tmp_path, 20, masks=False), shuffle=True, batch_size=9))
    first, second, third, fourth = (numbers(b) for b in source.train(0).take(4).as_numpy_iterator())
    epochs = np.stack([np.concatenate([first, second]), np.concatenate([third, fourth])])
    np.testing.assert_array_equal(np.sort(epochs), np.delete(np.arange(20), [9, 19])[None].repeat(2, axis=0))
    assert (epochs[0] != epochs[1]).any()
    resumed = next(iter(source.train(2)))
    np.testing.assert_array_equal(numbers({"image": resumed["image"].numpy()}), third)


def test_masks_of_validation_scenes_are_enough(tmp_path):
    write(tmp_path / "train" / "images", 3, masks=False)
    write(tmp_path / "test", 2, first=3, n_objects=3)
    assert has_masks(config(tmp_path))
    source = load(config(tmp_path, masks=True))
    assert whole(source, "valid")["mask"].shape == (2, 4, SIZE, SIZE)
    assert source.sets == {"train": "none", "valid": f"2 scenes in {tmp_path}/test; with masks"}
    with pytest.raises(UserError, match="has no masks, which this needs"):
        source.train(0)
    np.testing.assert_array_equal(numbers(whole(load(config(tmp_path)), "train")), [0, 1, 2])


def test_without_masks(tmp_path):
    write(tmp_path, 10, masks=False)
    assert not has_masks(config(tmp_path))
    assert load(config(tmp_path)).sets["train"] == f"9 scenes in {tmp_path}; without masks"
    with pytest.raises(UserError, match=r"has no masks, which this needs; give .*masks/NAME\.png"):
        load(config(tmp_path, masks=True))


def spoil(change):
    """A folder of twelve scenes and masks of which one thing is wrong."""

    def make(folder):
        write(folder, 12)
        change(folder)

    return make


MISTAKES = {
    "masks: lacks 2 of 12 masks, the first is 003.png of 003.png; give every scene one": spoil(
        lambda folder: [(folder / "masks" / f"{i:03d}.png").unlink() for i in (3, 5)]
    ),
    r"masks/004.png: a mask of 8x9 pixels, but its scene has 8x8": spoil(
        lambda folder: Image.new("L", (9, 8)).save(folder / "masks" / "004.png")
    ),
    r"009.png: cannot be read as PNG or JPEG": spoil(lambda folder: (folder / "009.png").write_bytes(b"")),
    r"masks/001.png: cannot be read as PNG or JPEG": spoil(
        lambda folder: (folder / "masks" / "001.png").write_bytes(b"")
    ),
    "holds subfolders a, b, but scenes have no classes": lambda folder: [
        write(folder / name, 10, masks=False) for name in "ab"
    ],
    "masks: masks of these scenes belong in .*/train/masks and .*/valid/masks": lambda folder: [
        write(folder / "train", 3, masks=False),
        write(folder / "valid", 3, masks=False),
        write(folder / "masks", 3, masks=False),
    ],
    "holds no image": lambda folder: None,
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes(tmp_path, message):
    MISTAKES[message](tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load(config(tmp_path, masks=True))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": (1, 8, 8)}, "--input_size=1,8,8: image files are read as 3,SIZE,SIZE"),
        ({"input_size": (3, 8, 9)}, "--input_size=3,8,9: image files are read as 3,SIZE,SIZE"),
        ({"input_size": (8, 8)}, "--input_size=8,8: image files are read as 3,SIZE,SIZE"),
        ({"factors": True}, "image files have no factors"),
    ],
)
def test_options_that_do_not_fit(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        load(config(write(tmp_path, 10), **options))


def test_a_folder_of_images_under_another_name(tmp_path):
    with pytest.raises(UserError, match=r"is a folder; .*or give --dataset=images for PNG and JPEG files"):
        load(DataConfig("tetrominoes", str(write(tmp_path, 10))))
    with pytest.raises(UserError, match="--dataset=images has no generator: give --data_path"):
        load(DataConfig("images"))
