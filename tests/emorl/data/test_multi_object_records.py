import gzip
import itertools

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from emorl.data import FACTORS, DataConfig, load
from emorl.data.multi_object_records import LAYOUTS

TETROMINOES, BINARIZED, GRAY, COLORED, CLEVR = LAYOUTS

BYTES = [bytes([v]) for v in range(256)]


def one_byte(values):
    strings = [BYTES[v] for v in np.asarray(values, np.uint8).ravel().tolist()]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=strings))


def floats(values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=np.asarray(values, np.float32).ravel()))


def scene(layout, number):
    """One scene, its features by name, masks as [E, H, W] and in the file's own order."""
    random = np.random.default_rng(number)
    height, width, channels = layout.image
    n = layout.n_entities
    image = random.integers(0, 256, layout.image, dtype=np.uint8)
    owner = random.integers(0, n, (height, width))
    mask = (255 * (owner == np.arange(n)[:, None, None])).astype(np.uint8)  # [E, H, W]
    names = {
        "tetrominoes": ["x", "y", "shape"],
        "multi_dsprites": ["x", "y", "shape", "orientation", "scale"],
        "clevr6": ["x", "y", "z", "rotation"],
    }[layout.dataset]
    factors = {name: random.random(n, np.float32) for name in names}
    n_objects = number % (n - 1) + 1
    factors["visibility"] = (np.arange(n) <= n_objects).astype(np.float32)
    features = {name: floats(value) for name, value in factors.items()}
    if layout.dataset == "clevr6":
        for name in ("size", "material", "shape", "color"):
            factors[name] = random.integers(0, 8, n)
            features[name] = one_byte(factors[name])
        features["pixel_coords"] = floats(random.random((n, 3)))
    else:
        factors["color"] = random.random((n, channels), np.float32)
        features["color"] = floats(factors["color"])
    stored = mask.transpose(1, 2, 0) if layout.dataset == "multi_dsprites" else mask
    features |= {"image": one_byte(image), "mask": one_byte(stored)}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return image, mask, factors, example.SerializeToString()


def write(path, layout, n=0, numbers=None):
    scenes = [scene(layout, i) for i in numbers or range(n)]
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for *_, record in scenes:
            writer.write(record)
    return scenes


def take(dataset, n=99):
    return [{k: v.numpy() for k, v in batch.items()} for batch in itertools.islice(dataset, n)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.dataset}{layout.n_entities}")
def test_every_published_layout(layout, tmp_path):
    path = tmp_path / "named_after_nothing"
    scenes = write(path, layout, 2)
    config = DataConfig(
        layout.dataset, str(path), batch_size=1, masks=True, factors=True, clevr_preprocess_style=""
    )
    batches = take(load(config).whole("valid"))
    assert [len(batch["image"]) for batch in batches] == [1, 1]
    names = [factor.name for factor in FACTORS[layout.dataset]]
    for i, (image, mask, factors, _) in enumerate(scenes):
        batch, row = batches[i], 0
        np.testing.assert_array_equal(
            np.round(255 * batch["image"][row]), np.broadcast_to(image, (*image.shape[:2], 3))
        )
        np.testing.assert_array_equal(255 * batch["mask"][row], mask)
        for name, value in factors.items():
            columns = ["red", "green", "blue"] if name == "color" and value.ndim == 2 else [name]
            for j, column in enumerate(columns):
                expected = value[:, j % value.shape[1]] if value.ndim == 2 else value
                np.testing.assert_array_equal(batch["factors"][row][:, names.index(column)], expected)
        np.testing.assert_array_equal(batch["visibility"][row], factors["visibility"])


def test_the_first_scenes_are_for_testing_the_next_for_training(tmp_path):
    scenes = write(tmp_path / "a", TETROMINOES, 20)
    config = DataConfig(data_path=str(tmp_path / "a"), batch_size=50, n_test=5, n_train=12, shuffle=False)
    source = load(config)
    for name, expected in (("valid", scenes[:5]), ("train", scenes[5:17])):
        got = take(source.whole(name))[0]["image"]
        np.testing.assert_array_equal(np.round(255 * got), [image for image, *_ in expected])


def test_training_is_shuffled_resumes_exactly_and_shows_every_scene_once_an_epoch(tmp_path):
    write(tmp_path / "a", TETROMINOES, 24)
    config = DataConfig(data_path=str(tmp_path / "a"), batch_size=4, n_test=1, seed=3)
    unbroken = take(load(config).train(0), 14)
    for start in (1, 5, 6, 11):
        for a, b in zip(unbroken[start:], take(load(config).train(start), 3), strict=False):
            np.testing.assert_array_equal(a["image"], b["image"])
    images = [image.tobytes() for batch in unbroken for image in batch["image"]]
    assert len(set(images[:23])) == 23
    assert set(images[23:46]) == set(images[:23])
    assert images[23:46] != images[:23]
    stored = take(load(config).whole("train"))
    assert images[:23] != [image.tobytes() for batch in stored for image in batch["image"]]


def test_validation_runs_round(tmp_path):
    write(tmp_path / "a", TETROMINOES, 8)
    source = load(DataConfig(data_path=str(tmp_path / "a"), batch_size=2, n_test=3))
    whole = np.concatenate([batch["image"] for batch in take(source.whole("valid"))])
    np.testing.assert_array_equal(take(source.valid(1), 1)[0]["image"], whole[[2, 0]])


def test_clevr6_has_at_most_six_objects(tmp_path):
    scenes = write(tmp_path / "a", CLEVR, numbers=[8, 5, 6])  # with 9, 6 and 7 objects
    config = DataConfig("clevr6", str(tmp_path / "a"), batch_size=50, masks=True, factors=True)
    batch = take(load(config).whole("valid"))[0]
    assert batch["image"].shape == (1, 96, 96, 3)
    np.testing.assert_array_equal(255 * batch["mask"][0], scenes[1][1][:, 29:221, 64:256])
    assert batch["visibility"].sum() == 1 + 6
    config = DataConfig("clevr6_128", str(tmp_path / "a"), batch_size=50)
    assert take(load(config).whole("valid"))[0]["image"].shape == (3, 128, 128, 3)


def test_another_data_set_than_asked_for(tmp_path):
    write(tmp_path / "tetrominoes.tfrecords", GRAY, 1)
    with pytest.raises(UserError, match="holds multi_dsprites, but --dataset=tetrominoes"):
        load(DataConfig(data_path=str(tmp_path / "tetrominoes.tfrecords")))


def test_a_data_set_of_the_collection_that_is_not_read_is_named(tmp_path):
    features = {"image": one_byte(np.zeros([64, 64, 3])), "mask": one_byte(np.zeros([7, 64, 64]))}
    record = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    with tf.io.TFRecordWriter(str(tmp_path / "a"), "GZIP") as writer:
        writer.write(record)
    with pytest.raises(UserError, match="holds Objects Room, which is not supported; supported are tetromin"):
        load(DataConfig("multi_dsprites", str(tmp_path / "a")))


def test_no_scene_left_for_training(tmp_path):
    write(tmp_path / "a", TETROMINOES, 3)
    source = load(DataConfig(data_path=str(tmp_path / "a")))
    assert take(source.whole("valid"))
    for use in (lambda: source.train(0), lambda: source.train(5), lambda: source.whole("train")):
        with pytest.raises(UserError, match="none are left for train"):
            use()


def test_damaged_files(tmp_path):
    write(tmp_path / "a", BINARIZED, 3)
    content = gzip.decompress((tmp_path / "a").read_bytes())
    other = tf.train.Example(features=tf.train.Features(feature={"cat": floats([1.0])})).SerializeToString()
    with tf.io.TFRecordWriter(str(tmp_path / "other"), "GZIP") as writer:
        writer.write(other)
    (tmp_path / "empty").write_bytes(gzip.compress(b""))
    (tmp_path / "cut").write_bytes(gzip.compress(content[:1000]))
    (tmp_path / "text").write_bytes(gzip.compress(b"no records at all, but a text of some length"))
    for name, message in (
        ("other", "none of"),
        ("empty", "no record"),
        ("cut", "damaged"),
        ("text", "damaged"),
    ):
        with pytest.raises(UserError, match=message) as error:
            load(DataConfig("multi_dsprites", str(tmp_path / name)))
        assert name in str(error.value)
        assert "\n" not in str(error.value)


def test_a_file_cut_in_the_middle_is_an_error_when_counted(tmp_path):
    write(tmp_path / "a", TETROMINOES, 6)
    content = gzip.decompress((tmp_path / "a").read_bytes())
    (tmp_path / "a").write_bytes(gzip.compress(content[: int(len(content) * 0.9)]))
    with pytest.raises(UserError, match="middle of a record"):
        load(DataConfig(data_path=str(tmp_path / "a"), n_test=1, batch_size=1)).train(3)


def test_masks_that_are_no_partition(tmp_path):
    *_, record = scene(TETROMINOES, 0)
    example = tf.train.Example.FromString(record)
    example.features.feature["mask"].bytes_list.value[7] = b"\x80"
    with tf.io.TFRecordWriter(str(tmp_path / "a"), "GZIP") as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(UserError, match="no partition"):
        load(DataConfig(data_path=str(tmp_path / "a"), masks=True))
