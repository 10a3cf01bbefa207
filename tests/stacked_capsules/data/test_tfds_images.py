"""SVHN, CIFAR-10 and MNIST are read from what TFDS writes; here, mock data of the same layout."""

import shutil
import urllib.error
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from discovery import UserError
from stacked_capsules.data import DataConfig, load

N_TRAIN, N_TEST = 14, 6
SETS = {
    "svhn": ("svhn_cropped", "3.1.0", (32, 32, 3)),
    "cifar10": ("cifar10", "3.0.2", (32, 32, 3)),
    "mnist": ("mnist", "3.0.1", (28, 28, 1)),
}


def prepare(dataset, folder):
    """Writes mock data as TFDS does, and returns them: split -> {"image", "label"}."""
    name, version, shape = SETS[dataset]
    rng = np.random.default_rng(1)
    data = {
        split: {
            "image": rng.integers(0, 256, [n, *shape]).astype(np.uint8),
            "label": np.arange(n, dtype=np.int64) % 10,
        }
        for split, n in (("train", N_TRAIN), ("test", N_TEST))
    }
    features = {"image": tfds.features.Image(shape=shape), "label": tfds.features.ClassLabel(num_classes=10)}
    if dataset == "cifar10":
        features["id"] = tfds.features.Text()
        for split, columns in data.items():
            columns["id"] = np.array([f"{split}_{i}" for i in range(len(columns["label"]))])
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            split: tf.data.Dataset.from_tensor_slices(columns) for split, columns in data.items()
        },
        data_dir=folder,
        disable_shuffling=True,
    )
    return data


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def config(dataset, folder):
    shape = SETS[dataset][2]
    return DataConfig(
        dataset=dataset, data_dir=str(folder), batch_size=4, canvas_size=shape[0], n_channels=shape[2]
    )


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("dataset", SETS)
def test_prepared_data_are_read_without_network(dataset, tmp_path):
    data = prepare(dataset, tmp_path)
    source = load(config(dataset, tmp_path))
    for ours, theirs in (("train", "train"), ("valid", "test")):
        batches = list(source.whole(ours).as_numpy_iterator())
        assert batches[0].keys() == {"image", "label"}
        got = np.concatenate([batch["image"] for batch in batches])
        np.testing.assert_allclose(got * 255.0, data[theirs]["image"], atol=1e-4)
        np.testing.assert_array_equal(
            np.concatenate([batch["label"] for batch in batches]), data[theirs]["label"]
        )
    assert source.train(0).element_spec["image"].shape == (4, *SETS[dataset][2])


@pytest.mark.usefixtures("offline")
def test_without_data_and_network_one_line_says_what_to_do(tmp_path):
    with pytest.raises(UserError) as caught:
        load(config("svhn", tmp_path))
    assert str(caught.value) == (
        f"svhn_cropped: no data in {tmp_path} and no download (no route to host); point --data_dir at a "
        "folder with prepared TFDS data, or connect to the Internet so that it can be downloaded"
    )


@pytest.mark.usefixtures("offline")
def test_truncated_and_missing_files_are_named(tmp_path):
    prepare("cifar10", tmp_path / "whole")

    def copy(name):
        shutil.copytree(tmp_path / "whole", tmp_path / name)
        return tmp_path / name, next((tmp_path / name).glob("cifar10/*/*train.tfrecord*"))

    truncated, records = copy("truncated")
    records.write_bytes(records.read_bytes()[:-50])
    missing, records = copy("missing")
    records.unlink()
    short, records = copy("short")  # truncated between two records
    kept = list(tf.data.TFRecordDataset(str(records)).take(N_TRAIN - 1).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(records)) as writer:
        for serialized in kept:
            writer.write(serialized)
    for folder in (truncated, missing, short):
        with pytest.raises(
            UserError, match=rf"{folder.name}/cifar10/3.0.2: prepared TFDS data that cannot be"
        ):
            load(config("cifar10", folder))
