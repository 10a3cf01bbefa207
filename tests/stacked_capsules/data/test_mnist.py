"""MNIST is found wherever it may lie, and where it is not the user learns what to do."""

import io
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from discovery import UserError
from stacked_capsules.data import DataConfig, load

REAL = Path(__file__).parents[4] / "shared" / "data" / "mnist.npz"


def arrays(n_train=12, n_test=5):
    rng = np.random.default_rng(0)
    sizes = {"train": n_train, "test": n_test}
    images = {f"x_{name}": rng.integers(0, 256, [n, 28, 28]).astype(np.uint8) for name, n in sizes.items()}
    return images | {f"y_{name}": (np.arange(n) % 10).astype(np.uint8) for name, n in sizes.items()}


def mnist(data_dir, **options):
    return load(DataConfig(dataset="mnist", data_dir=str(data_dir), batch_size=4, **options))


def images(source, name):
    return np.concatenate([batch["image"] for batch in source.whole(name).as_numpy_iterator()])


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.mark.parametrize("name", ["", "mnist.npz"])
def test_data_dir_is_keras_file_or_its_folder(tmp_path, name):
    data = arrays()
    np.savez(tmp_path / "mnist.npz", **data)
    source = mnist(tmp_path / name)
    for ours, theirs in (("train", "x_train"), ("valid", "x_test")):
        np.testing.assert_allclose(images(source, ours)[..., 0] * 255.0, data[theirs], atol=1e-4)


def test_floats_in_0_to_1_are_accepted(tmp_path):
    data = arrays()
    scaled = data | {name: data[name] / 255.0 for name in ("x_train", "x_test")}
    np.savez(tmp_path / "mnist.npz", **scaled)
    np.testing.assert_allclose(images(mnist(tmp_path), "train")[..., 0], scaled["x_train"], atol=1e-7)


@pytest.mark.usefixtures("offline")
def test_without_data_and_network_one_line_names_three_ways_out(tmp_path):
    with pytest.raises(UserError) as caught:
        mnist(tmp_path)
    (line,) = str(caught.value).splitlines()
    for part in (str(tmp_path), "Name or service not known", "mnist.npz", "prepared TFDS data", "connect"):
        assert part in line
    assert line.endswith("or use --dataset=digits, which needs no download")
    with pytest.raises(UserError, match=r"elsewhere/mnist\.npz: no such file; point --data_dir .*=digits"):
        mnist(tmp_path / "elsewhere" / "mnist.npz")
    assert not any(tmp_path.iterdir()), "nothing is left behind"


def test_a_failed_download_is_one_line_too(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    class Builder:
        def download_and_prepare(self):
            raise ConnectionError("404: gone\n\nHere is how to file a bug")

    monkeypatch.setattr(urllib.request, "urlopen", lambda *a, **k: io.BytesIO())
    monkeypatch.setattr(tfds, "builder", lambda *a, **k: Builder())
    with pytest.raises(UserError, match=r"the download failed \(404: gone\); .* --dataset=digits"):
        mnist(tmp_path)


def test_labels_may_be_columns_and_are_numbers(tmp_path):
    data = arrays()
    np.savez(tmp_path / "mnist.npz", **data | {name: data[name][:, None] for name in ("y_train", "y_test")})
    labels = np.concatenate([batch["label"] for batch in mnist(tmp_path).whole("train").as_numpy_iterator()])
    np.testing.assert_array_equal(labels, data["y_train"])
    np.savez(tmp_path / "mnist.npz", **data | {"y_train": np.array(["cat", "dog"] * 6)})
    with pytest.raises(
        UserError,
        match=r"mnist.npz, x_train, label: is text, such as 'cat'; number",
    ):
        mnist(tmp_path)


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez_compressed(path, **arrays())
    whole = path.read_bytes()
    data = arrays()
    incomplete = {name: data[name] for name in ("x_train", "y_train")}
    pickled = data | {"x_test": np.array([None, "code"], object)}
    for content in (whole[: len(whole) // 2], b"", b"not a zip", incomplete, pickled):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.savez(path, **content)
        with pytest.raises(UserError, match=r"mnist\.npz: damaged, or not Keras' .* replace the file"):
            mnist(tmp_path)
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(UserError, match=r"mnist\.npz: damaged"):
        mnist(tmp_path)


def test_a_header_that_hides_images_is_noticed(tmp_path):
    """Numpy checks the sum of what it reads to the end, and it would not read to the end here."""
    path = tmp_path / "mnist.npz"
    np.savez(path, **{k: np.tile(v, (9, *[1] * (v.ndim - 1))) for k, v in arrays().items()})
    whole = path.read_bytes()
    with np.load(path, allow_pickle=False) as stored:
        n = len(stored["x_train"])
    more, fewer = (b"(%d, 28, 28)" % m for m in (n, n - 8))
    assert more in whole
    assert len(more) == len(fewer)
    path.write_bytes(whole.replace(more, fewer))
    with pytest.raises(UserError, match=r"mnist\.npz: damaged.*the checksum of x_"):
        mnist(tmp_path)


@pytest.mark.skipif(not REAL.exists(), reason=f"real MNIST is not at {REAL}")
def test_the_real_digits():
    source = load(DataConfig(dataset="mnist", data_dir=str(REAL.parent), batch_size=1000, canvas_size=40))
    batches = list(source.whole("valid").as_numpy_iterator())
    labels = np.concatenate([batch["label"] for batch in batches])
    np.testing.assert_array_equal(
        np.bincount(labels), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    )
    # padding changes the mean by 28^2 / 40^2 alone: no shift cuts a digit off
    mean = np.mean([batch["image"].mean(dtype=np.float64) for batch in batches])
    np.testing.assert_allclose(mean * 40**2 / 28**2, 0.132515, atol=1e-5)
    batch = next(source.train(0).as_numpy_iterator())
    assert batch["image"].shape == (1000, 40, 40, 1)
    assert batch["image"].max() == 1.0
