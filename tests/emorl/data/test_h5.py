import itertools
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from emorl.data import DataConfig, h5, load
from tests.samples import sample


def scenes(n, seed=0, size=(6, 6), n_entities=3, ones=255):
    random = np.random.default_rng(seed)
    owner = random.integers(0, n_entities, (n, 1, *size, 1))
    return {
        "imgs": random.integers(0, 256, (n, *size, 3), dtype=np.uint8),
        "masks": ((owner == np.arange(n_entities)[:, None, None, None]) * ones).astype(np.uint8),
        "factors": random.standard_normal((n, n_entities, 7)).astype(np.float32),
    }


def write(path, train=None, test=None, **options):
    with h5py.File(path, "w") as file:
        for name, members in (("train", train), ("test", test)):
            for member, values in (members or {}).items():
                file.create_dataset(f"{name}/{member}", data=values, **options)
    return str(path)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "a.h5", scenes(50), scenes(10, seed=1), chunks=True, compression="gzip")


def take(dataset, n):
    return [{k: v.numpy() for k, v in batch.items()} for batch in itertools.islice(dataset, n)]


def test_batches_hold_what_the_file_holds(path):
    source = load(DataConfig(data_path=path, batch_size=4, masks=True, factors=True))
    expected = scenes(10, seed=1)
    got = take(source.whole("valid"), 99)
    assert [len(batch["image"]) for batch in got] == [4, 4, 2]
    got = {k: np.concatenate([batch[k] for batch in got]) for k in got[0]}
    np.testing.assert_array_equal(got["image"], expected["imgs"].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(got["mask"], expected["masks"][..., 0] // 255)
    np.testing.assert_array_equal(got["factors"], expected["factors"])
    np.testing.assert_array_equal(got["visibility"], expected["factors"][..., -1])
    assert got["image"].dtype == np.float32
    assert got["mask"].dtype == np.uint8


def test_training_is_shuffled_and_resumes_exactly(path):
    config = DataConfig(data_path=path, batch_size=8, seed=2)
    unbroken = take(load(config).train(0), 20)
    resumed = take(load(config).train(13), 7)
    for a, b in zip(unbroken[13:], resumed, strict=True):
        np.testing.assert_array_equal(a["image"], b["image"])
    stored = scenes(50)["imgs"].astype(np.float32) / np.float32(255)
    epoch = np.concatenate([batch["image"] for batch in unbroken])[:50]
    assert {image.tobytes() for image in epoch} == {image.tobytes() for image in stored}
    assert (epoch != stored).any()
    in_order = take(load(DataConfig(data_path=path, batch_size=8, shuffle=False)).train(0), 1)
    np.testing.assert_array_equal(in_order[0]["image"], stored[:8])


def test_masks_of_zeros_and_ones_too(tmp_path):
    path = write(tmp_path / "a.h5", test=scenes(4, ones=1))
    batch = take(load(DataConfig(data_path=path, masks=True)).whole("valid"), 1)[0]
    np.testing.assert_array_equal(batch["mask"], scenes(4, ones=1)["masks"][..., 0])


def test_a_file_is_opened_once_per_iterator_and_read_in_runs(path, monkeypatch):
    source = load(DataConfig(data_path=path, batch_size=5))
    opened, reads = [], []
    real_open, real_read = h5py.File, h5._read
    monkeypatch.setattr(h5py, "File", lambda *args: opened.append(args) or real_open(*args))
    monkeypatch.setattr(h5, "_read", lambda *args: reads.append(args) or real_read(*args))
    take(source.whole("train"), 99)
    assert len(opened) == len(reads) == 1


def test_a_folder_and_a_name_are_a_path(path, tmp_path):
    assert take(load(DataConfig(data_path=str(tmp_path), h5_path="a.h5")).train(0), 1)
    with pytest.raises(UserError, match="h5_path"):
        load(DataConfig(data_path=str(tmp_path)))


def test_a_file_with_one_set_serves_that_set(tmp_path):
    source = load(DataConfig(data_path=write(tmp_path / "a.h5", test=scenes(4)), batch_size=2))
    assert len(take(source.whole("valid"), 9)) == 2
    with pytest.raises(UserError, match="no group train"):
        source.train(0)


def test_clevr6_has_at_most_six_objects(tmp_path):
    members = scenes(40, size=(240, 320), n_entities=11)
    count = np.arange(40) % 9 + 2  # objects
    members["factors"][..., -1] = np.arange(11) <= count[:, None]
    path = write(tmp_path / "a.h5", train=members, test=members)
    config = DataConfig(dataset="clevr6", data_path=path, factors=True, shuffle=False, batch_size=100)
    batch = take(load(config).whole("train"), 1)[0]
    np.testing.assert_array_equal(batch["factors"], members["factors"][count <= 6])
    assert batch["image"].shape[1:] == (96, 96, 3)
    everything = DataConfig(dataset="clevr6_128", data_path=path, batch_size=100)
    assert take(load(everything).whole("valid"), 1)[0]["image"].shape == (40, 128, 128, 3)


def test_clevr6_without_factors_counts_masks(tmp_path):
    members = scenes(6, size=(240, 320), n_entities=9)
    members["masks"][::2] = 0
    members["masks"][::2, 1] = 255
    del members["factors"]
    path = write(tmp_path / "a.h5", test=members)
    batch = take(load(DataConfig(dataset="clevr6", data_path=path, masks=True)).whole("valid"), 1)[0]
    assert batch["mask"].shape == (3, 9, 192, 192)
    assert batch["mask"][:, 1].all()


def bad(member, value):
    members = scenes(5)
    if value is None:
        del members[member]
    else:
        members[member] = value(members[member])
    return members


def spoil(masks):
    masks[0, 0, 0, 0] = masks[0, 1, 0, 0] = 255
    return masks


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (bad("imgs", None), "no 'imgs'"),
        (bad("masks", None), "file with masks"),
        (bad("factors", None), "file with factors"),
        (bad("imgs", lambda v: v[..., :1]), r"expected \[n, H, W, 3\] .*np.repeat\(imgs, 3, axis=-1\)"),
        (bad("imgs", lambda v: v[..., [0, 1, 2, 2]]), r"store imgs\[..., :3\]"),
        (bad("imgs", lambda v: v[..., 0]), r"expected \[n, H, W, 3\] with n > 0\."),
        (bad("imgs", lambda v: v.astype(np.float32)), r"expected uint8.* np.rint\(255 \* imgs\)"),
        (bad("imgs", lambda v: v.astype(np.int64)), r"expected uint8.* imgs.astype\(np.uint8\)"),
        (bad("masks", lambda v: v > 0), r"masks: type bool; expected uint8.* masks.astype\(np.uint8\)"),
        (bad("imgs", lambda v: v // 255), "imgs: the brightest value of all images is [01] of 255"),
        (bad("imgs", lambda v: v[:4]), "4 images, but 5"),
        (bad("imgs", lambda v: v[:0]), "n > 0"),
        (bad("masks", lambda v: v[:, :, 1:]), r"masks: shape .*, 1\]\.$"),
        (
            bad("masks", lambda v: v[..., 0].argmax(1).astype(np.uint8)),
            r"store \(masks.* == np.arange",
        ),
        (bad("factors", lambda v: v[..., 0]), "factors: shape"),
        (bad("factors", lambda v: v * np.nan), "not finite"),
        (bad("masks", spoil), "no partition"),
        (bad("masks", lambda v: v // 2), "no partition"),
        (bad("masks", lambda v: v * 0), "no partition"),
    ],
)
def test_a_wrongly_laid_out_file_is_one_clear_error(members, message, tmp_path):
    path = write(tmp_path / "a.h5", members, members)
    with pytest.raises(UserError, match=message) as error:
        load(DataConfig(data_path=path, masks=True, factors=True))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_masks_that_go_wrong_later_stop_the_stream(tmp_path):
    members = scenes(300)
    members["masks"][150] = 255
    source = load(DataConfig(data_path=write(tmp_path / "a.h5", test=members), masks=True))
    with pytest.raises(tf.errors.InvalidArgumentError, match="no partition"):
        take(source.whole("valid"), 99)


def test_damaged_files(path, tmp_path):
    content = Path(path).read_bytes()
    for name, damaged in (("cut", content[: len(content) // 2]), ("none", b""), ("other", b"PK" + content)):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(UserError, match=name):
            load(DataConfig(data_path=str(tmp_path / name)))
    with pytest.raises(UserError, match="cannot be opened"):
        load(DataConfig(data_path=str(tmp_path / "absent.h5")))


def test_a_file_that_is_being_written_is_called_so(path):
    program = f"import h5py, sys; file = h5py.File({str(path)!r}, 'a'); print(flush=True); sys.stdin.read()"
    writer = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        writer.stdout.readline()
        with pytest.raises(UserError, match="another program has it open for writing; close it"):
            load(DataConfig("multi_dsprites", str(path)))
    finally:
        writer.communicate()


def test_damaged_chunks(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "train/imgs", data=scenes(50)["imgs"], chunks=(50, 6, 6, 3), compression="gzip"
        )
        offset = data.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        load(DataConfig(data_path=str(path)))


def test_a_set_that_claims_more_than_its_file_can_hold(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:  # reading it would fill the memory with zeros
        file.create_dataset(
            "train/imgs", (10**9, 6, 6, 3), np.uint8, chunks=(50, 6, 6, 3), compression="gzip"
        )
    with pytest.raises(UserError, match=r"/train/imgs: shape \(1000000000, 6, 6, 3\) does not fit into it"):
        load(DataConfig(data_path=str(path)))


def test_clevr_images_of_other_sizes(tmp_path):
    path = write(tmp_path / "a.h5", scenes(3), scenes(3))
    with pytest.raises(UserError, match="240x320"):
        load(DataConfig(dataset="clevr6", data_path=path))
    config = DataConfig(dataset="clevr6", data_path=path, clevr_preprocess_style="")
    assert take(load(config).train(0), 1)[0]["image"].shape[1:] == (6, 6, 3)


def test_the_originals_samples():
    config = DataConfig(data_path=str(sample("data/tiny_tet_1.h5")), batch_size=5, masks=True)
    batch = take(load(config).whole("valid"), 1)[0]
    with np.load(sample("data/tetrominoes_real10.npz")) as real:
        np.testing.assert_array_equal(np.round(255 * batch["image"]), real["images"][:5])
        np.testing.assert_array_equal(255 * batch["mask"], real["masks"][:5])
    config = DataConfig("clevr6", str(sample("data/tiny_clevr_1.h5")), batch_size=2, masks=True, factors=True)
    batch = take(load(config).whole("train"), 1)[0]
    assert batch["image"].shape == (2, 96, 96, 3)
    assert batch["mask"].shape == (2, 7, 192, 192)
    assert batch["factors"].shape == (2, 7, 9)


def test_the_home_folder_may_be_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "scenes.h5").write_bytes(b"no scenes")
    with pytest.raises(UserError, match=f"^{re.escape(str(tmp_path))}/scenes.h5: is neither HDF5"):
        load(DataConfig(data_path="~/scenes.h5"))
