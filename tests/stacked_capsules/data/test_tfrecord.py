"""A user's own images come back as they were written, and broken files are named."""

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules.data import DataConfig, load, tfrecord


def pictures(n, height=9, width=12, depth=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, [n, height, width, depth]).astype(np.uint8)


def config(path, **options):
    return DataConfig(
        dataset="tfrecord",
        data_dir=str(path),
        **{"batch_size": 4, "canvas_size": 16, "n_channels": 3, **options},
    )


def whole(source, name):
    batches = list(source.whole(name).as_numpy_iterator())
    return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def record(**features):
    """Returns one serialized record; bytes stay bytes, the rest are integers."""
    wrapped = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, bytes)
        else tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=wrapped)).SerializeToString()


def write_records(path, *records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for serialized in records:
            writer.write(serialized)


GOOD = {"image_raw": bytes(range(108)), "height": 6, "width": 6, "depth": 3, "label": 1}


def test_a_folder_of_files_is_sorted_into_training_and_validation(tmp_path):
    images, labels, labeled = pictures(13), np.arange(13) % 10, np.arange(13) % 2
    tfrecord.write(tmp_path / "train-00000-of-00002.tfrecord", images[:5], labels[:5], labeled[:5])
    tfrecord.write(tmp_path / "train.tfrecord-00001-of-00002", images[5:10], labels[5:10], labeled[5:10])
    tfrecord.write(tmp_path / "valid.tfrecords", images[10:], labels[10:], labeled[10:])
    (tmp_path / "notes.txt").write_text("not read")
    source = load(config(tmp_path, canvas_size=12))
    for name, rows in (("train", slice(0, 10)), ("valid", slice(10, 13))):
        got = whole(source, name)
        np.testing.assert_array_equal(got["label"], labels[rows])
        np.testing.assert_array_equal(got["labeled"], labeled[rows])
        # 9 rows lie somewhere within 12; columns fill the canvas
        sums = got["image"].sum(axis=(1, 3)), images[rows].sum(axis=(1, 3)) / 255.0  # each [n, 12]
        np.testing.assert_allclose(*sums, rtol=1e-5)


def test_sizes_come_from_the_records_and_labels_are_optional(tmp_path):
    images = pictures(20, 16, 16, 3)
    tfrecord.write(tmp_path / "own.tfrecord", images)
    tfrecord.write(tmp_path / "held_out.tfrecord", images[:3])
    source = load(config(tmp_path / "own.tfrecord", valid_file=str(tmp_path / "held_out.tfrecord")))
    assert source.train(0).element_spec == {"image": tf.TensorSpec([4, 16, 16, 3], tf.float32)}
    np.testing.assert_allclose(whole(source, "train")["image"] * 255.0, images, atol=1e-4)
    np.testing.assert_allclose(whole(source, "valid")["image"] * 255.0, images[:3], atol=1e-4)


@pytest.mark.parametrize("name", ["testing", "digits-testset", "my_validate", "dev", "held_out_2_heldout"])
def test_what_a_file_is_for_stands_in_its_name(tmp_path, name):
    tfrecord.write(tmp_path / "a_train.tfrecord", pictures(5))
    tfrecord.write(tmp_path / f"{name}.tfrecord", pictures(3))
    source = load(config(tmp_path))
    assert source.sets == {
        "train": f"5 images in {tmp_path}/a_train.tfrecord",
        "valid": f"3 images in {tmp_path}/{name}.tfrecord",
    }


@pytest.mark.parametrize("names", [("train", "mytest"), ("train", "other"), ("intest", "intrain")])
def test_a_name_that_leaves_it_open_is_asked_for(tmp_path, names):
    for name in names:
        tfrecord.write(tmp_path / f"{name}.tfrecord", pictures(5))
    with pytest.raises(UserError, match="is it for training or for validation"):
        load(config(tmp_path))
    source = load(config(tmp_path, valid_file=str(tmp_path / f"{names[1]}.tfrecord")))
    assert [text.rpartition("/")[2] for text in source.sets.values()] == [f"{n}.tfrecord" for n in names]


def test_labels_may_be_a_column(tmp_path):
    tfrecord.write(tmp_path / "a.tfrecord", pictures(10), np.arange(10)[:, None])
    np.testing.assert_array_equal(whole(load(config(tmp_path)), "valid")["label"], [9])


def test_a_compressed_file_is_called_so(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord"), "GZIP") as writer:
        writer.write(b"a")
    with pytest.raises(UserError, match=r"a\.tfrecord: is compressed with GZIP; decompress it first"):
        load(config(tmp_path))


def test_without_validation_files_each_tenth_record_is_held_out(tmp_path):
    labels = np.arange(25)
    tfrecord.write(tmp_path / "own.tfrecord", pictures(25), labels)
    source = load(config(tmp_path, n_classes=25))
    np.testing.assert_array_equal(whole(source, "valid")["label"], [9, 19])
    np.testing.assert_array_equal(whole(source, "train")["label"], np.delete(labels, [9, 19]))
    tfrecord.write(tmp_path / "own.tfrecord", pictures(9))
    with pytest.raises(UserError, match=r"9 records are too few to hold out every tenth .* set --valid_file"):
        load(config(tmp_path))


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "own.tfrecord"
    tfrecord.write(path, pictures(20), np.arange(20) % 10)
    whole = path.read_bytes()
    record = len(whole) // 20
    for damaged in (whole[:-7], whole[: 5 * record + 3], b"these bytes are no records at all", b""):
        path.write_bytes(damaged)
        with pytest.raises(
            UserError, match=r"own\.tfrecord: (truncated|holds no records).*write it again"
        ) as caught:
            load(config(path))
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (
            [{k: v for k, v in GOOD.items() if k != "height"}],
            "record 0 has no feature height; each needs image_raw",
        ),
        ([GOOD, {k: v for k, v in GOOD.items() if k != "image_raw"}], "record 1 has no feature image_raw"),
        ([GOOD, {k: v for k, v in GOOD.items() if k != "label"}], "record 1 has no label, others do"),
        (
            [GOOD, GOOD | {"height": 7}],
            "record 1 holds 108 bytes of image, but states 7x6x3; store raw uint8",
        ),
        (
            [GOOD, GOOD | {"height": 3, "width": 12}],
            "image 1 is 3x12x3, the first one 6x6x3; resize all to one",
        ),
        ([GOOD | {"label": 10}] * 10, "label: values from 10 to 10, expected 0 to 9"),
        ([GOOD | {"label": b"seven"}], "record 0 or a later one does not hold image_raw"),
        ([b"\xff\xff\xff"], "record 0 or a later one does not hold image_raw"),
    ],
)
def test_records_that_are_not_of_the_schema(tmp_path, records, message):
    path = tmp_path / "own.tfrecord"
    write_records(path, *(r if isinstance(r, bytes) else record(**r) for r in records))
    with pytest.raises(UserError, match=message):
        load(config(path))


def test_files_that_do_not_belong_together_and_files_that_are_not_there(tmp_path):
    tfrecord.write(tmp_path / "a.tfrecord", pictures(10), np.arange(10))
    tfrecord.write(tmp_path / "valid.tfrecord", pictures(10, width=9), np.arange(10))
    with pytest.raises(UserError, match=r"valid\.tfrecord: images of 9x9x3, but .*a\.tfrecord has 9x12x3"):
        load(config(tmp_path))
    tfrecord.write(tmp_path / "valid.tfrecord", pictures(10))
    with pytest.raises(
        UserError, match=r"valid\.tfrecord: features image, but .* has image, label; make them"
    ):
        load(config(tmp_path))
    with pytest.raises(UserError, match=r"nowhere\.tfrecord: no such file; set --data_dir"):
        load(config(tmp_path / "nowhere.tfrecord"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: holds no training records; expected files named like"):
        load(config(tmp_path / "empty"))
    with pytest.raises(UserError, match="set --data_dir to a TFRecord file"):
        load(DataConfig(dataset="tfrecord"))


@pytest.mark.parametrize(
    ("images", "columns", "words"),
    [
        (np.full([2, 4, 4, 1], 0.5, np.float32), {}, "images are float32 from 0.5 to 0.5; give uint8"),
        (np.full([2, 4, 4, 1], 300), {}, "images are int64 from 300 to 300; give uint8"),
        (np.full([2, 4, 4, 1], "a"), {}, "images are <U1; give uint8, 0 to 255"),
        (np.zeros([2, 4, 4], np.uint8), {}, r"shape \(2, 4, 4\); give \[N, H, W, C\]"),
        (np.zeros([2, 4, 4, 1], np.uint8), {"labels": [0.9, 1.0]}, "label: float64"),
        (np.zeros([2, 4, 4, 1], np.uint8), {"labels": [0, 1, 2]}, "one integer for each of 2 images"),
        (np.zeros([2, 4, 4, 1], np.uint8), {"labels": [0, -1]}, "values from -1 to 0.*or leave out examples"),
        (np.zeros([2, 4, 4, 1], np.uint8), {"labeled": [0, 2]}, "expected 0 to 1; correct them"),
    ],
)
def test_what_would_be_written_wrongly_is_refused(tmp_path, images, columns, words):
    path = tmp_path / "train.tfrecord"
    path.write_bytes(b"as it was")
    with pytest.raises(UserError, match=words):
        tfrecord.write(path, images, **columns)
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    for path in (tmp_path / "nowhere" / "train.tfrecord", tmp_path):
        with pytest.raises(UserError, match=f"{path}: cannot be written"):
            tfrecord.write(path, np.zeros([2, 4, 4, 1], np.uint8))
