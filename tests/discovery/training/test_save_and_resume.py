"""Snapshots are read whole or not at all, whatever was left in their folder."""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from discovery.distributed.replicas import make_replicas
from discovery.snapshots import check_arrays, find_snapshot, list_snapshots, read_snapshot, restore_model
from discovery.training.optimizers import RMSProp
from discovery.training.run_folder import folder_of_run
from discovery.training.save_and_resume import remove_unfinished, restore_state, write_snapshot
from discovery.training.train_state import TrainState
from tests.discovery.training.file_size_limit import file_size_limit
from tests.discovery.training.toy_model import make_toy

ARRAYS = {
    "a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a/kernel/rms": np.ones((2, 3), np.float32),
    "global_step": np.int64(7),
    "report/train/loss": np.float64(0.1),
}


def state_of(model, n_replicas=1):
    return TrainState(model, RMSProp(1e-4), make_replicas("mirrored", n_replicas))


def write_toy(folder, step=5, model=None):
    state = state_of(model or make_toy())
    state.step.assign(step)
    return write_snapshot(folder, step, {n: v.numpy() for n, v in state.named.items()})


@pytest.mark.parametrize("name", ["run [1]", "back\\slash [x"])
def test_no_character_of_a_path_is_a_pattern(tmp_path, name):
    """TensorFlow's reader looks for the files of a prefix as a shell would."""
    folder = tmp_path / name
    folder.mkdir()
    write_snapshot(folder, 7, ARRAYS)
    assert read_snapshot(str(folder)).keys() == ARRAYS.keys()
    state = state_of(make_toy())
    write_toy(folder, step=9)
    restore_state(folder, state.named, pytest.fail)
    assert state.step.numpy() == 9


def test_the_home_folder_may_be_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = folder_of_run("~/runs/{name}", "a")
    assert folder == tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    prefix = write_snapshot(folder, 7, ARRAYS)
    assert find_snapshot("~/runs/a") == find_snapshot("~/runs/a/model.ckpt-7") == prefix


def truncate(prefix, suffix, n=20):
    path = Path(prefix + suffix)
    path.write_bytes(path.read_bytes()[:-n])


def test_arrays_come_back_and_tensorflow_reads_them(tmp_path):
    prefix = write_snapshot(tmp_path, 7, ARRAYS)
    assert prefix == str(tmp_path / "model.ckpt-7")
    read = read_snapshot(prefix)
    assert read.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
    assert tf.train.latest_checkpoint(str(tmp_path)) == prefix
    reader = tf.train.load_checkpoint(prefix)
    np.testing.assert_array_equal(reader.get_tensor("a/kernel"), ARRAYS["a/kernel"])


def test_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("run")
    write_snapshot(Path("run"), 3, ARRAYS)
    assert tf.train.latest_checkpoint("run") == "run/model.ckpt-3"
    assert find_snapshot("run") == "run/model.ckpt-3"


def test_old_ones_are_forgotten(tmp_path):
    for step in (9, 10, 100):
        write_snapshot(tmp_path, step, ARRAYS, keep=2)
    assert [Path(p).name for p in list_snapshots(tmp_path)] == ["model.ckpt-10", "model.ckpt-100"]
    assert sorted(os.listdir(tmp_path))[0] == "checkpoint"
    assert len(os.listdir(tmp_path)) == 5
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert [Path(p).name for p in state.all_model_checkpoint_paths] == ["model.ckpt-10", "model.ckpt-100"]
    for step in (101, 102, 103):
        write_snapshot(tmp_path, step, ARRAYS, keep=0)
    assert len(list_snapshots(tmp_path)) == 5


def test_unfinished_ones_are_never_found(tmp_path):
    prefix = write_snapshot(tmp_path, 4, ARRAYS)
    for suffix in (".index", ".data-00000-of-00001"):
        (tmp_path / f".unfinished-model.ckpt-9{suffix}").write_bytes(b"x")
    (tmp_path / "model.ckpt-9.data-00000-of-00001").write_bytes(b"x")  # killed between the two renames
    assert list_snapshots(tmp_path) == [prefix]
    assert find_snapshot(tmp_path) == prefix
    remove_unfinished(tmp_path)
    assert not list(tmp_path.glob(".unfinished*"))


def test_what_is_not_finite_is_not_written(tmp_path):
    with pytest.raises(UserError, match="a/kernel is not finite at step 8"):
        write_snapshot(tmp_path, 8, {"a/kernel": np.array([1.0, np.nan])})
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_written_is_told(tmp_path):
    before = write_snapshot(tmp_path, 1, ARRAYS)
    (tmp_path / "model.ckpt-2.index").mkdir()  # stands in the way of the last rename
    with pytest.raises(UserError, match=r"cannot write .*/model\.ckpt-2: .*earlier snapshots stay"):
        write_snapshot(tmp_path, 2, ARRAYS)
    assert not list(tmp_path.glob(".unfinished*"))
    read_snapshot(before)


@pytest.mark.parametrize("n_bytes", [0, 50, 400, 4000])  # in the index, in the data
def test_a_full_disk(tmp_path, n_bytes):
    before = write_snapshot(tmp_path, 1, ARRAYS)
    files = sorted(os.listdir(tmp_path))
    with file_size_limit(n_bytes), pytest.raises(UserError) as error:
        write_snapshot(tmp_path, 2, ARRAYS | {"b": np.zeros(1000, np.float32)})
    assert str(error.value).startswith(f"cannot write {tmp_path}/model.ckpt-2: File too large (")
    for words in ("MB are free there", "earlier snapshots stay", "start the same command again"):
        assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(os.listdir(tmp_path)) == files
    assert read_snapshot(before).keys() == ARRAYS.keys()


def test_snapshots_are_found_as_users_name_them(tmp_path):
    prefix = write_snapshot(tmp_path, 7, ARRAYS)
    for path in (prefix, f"{prefix}.index", f"{prefix}.data-00000-of-00001", tmp_path, f"{tmp_path}/"):
        assert find_snapshot(path) == prefix
    with pytest.raises(UserError, match=r"no snapshot .*model\.ckpt-8.* holds: model\.ckpt-7"):
        find_snapshot(tmp_path / "model.ckpt-8")
    with pytest.raises(UserError, match=r"there is no folder .*absent: train first"):
        find_snapshot(tmp_path / "absent" / "model.ckpt-8")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no snapshot .*empty.* holds none: train first"):
        find_snapshot(tmp_path / "empty")


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("n", [1, 40, 10**6])
def test_a_truncated_snapshot_is_an_error(tmp_path, suffix, n):
    prefix = write_snapshot(tmp_path, 7, ARRAYS)
    truncate(prefix, suffix, n)
    with pytest.raises(UserError, match=r"model\.ckpt-7 is damaged") as error:
        read_snapshot(prefix)
    assert "\n" not in str(error.value)


def test_a_model_gets_all_its_weights(tmp_path):
    trained, fresh = make_toy(), make_toy()
    for weight in trained.weights:
        weight.assign(weight + 3.0)
    prefix = write_toy(tmp_path, step=5, model=trained)
    assert restore_model(prefix, fresh) == 5
    for got, want in zip(fresh.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(got, want)


def test_another_architecture_changes_nothing(tmp_path):
    prefix = write_toy(tmp_path, model=make_toy(width=3))
    model = make_toy()
    before = [w.numpy() for w in model.weights]
    with pytest.raises(UserError) as error:
        restore_model(prefix, model)
    for text in ("another architecture", "of another shape", "toy/dense/kernel ([3, 3], here [3, 2])"):
        assert text in str(error.value)
    assert "rms" not in str(error.value)  # a model has no slots
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_all_differences_are_listed(tmp_path):
    expected = {"here": tf.Variable([1.0]), "type": tf.Variable([1.0]), "shape": tf.Variable([1.0])}
    arrays = {"there": np.zeros(1), "type": np.zeros(1), "shape": np.zeros(2, np.float32)}
    with pytest.raises(UserError) as error:
        check_arrays("p", arrays, expected)
    for text in (
        "missing there: here",
        "unknown here: there",
        "type (float64 [1], here [1])",
        "shape ([2], here [1])",
    ):
        assert text in str(error.value)
    many = {f"v{i}": np.zeros(1) for i in range(50)}
    with pytest.raises(UserError, match="v19 and 30 more"):
        check_arrays("p", many, {})


def test_training_state_comes_back_on_any_number_of_replicas(tmp_path):
    write_toy(tmp_path, step=6)
    replicas = make_replicas("mirrored", 2)
    with replicas.scope():
        model = make_toy()
    for weight in model.weights:
        weight.assign(weight * 0.0)
    state = TrainState(model, RMSProp(1e-4), replicas)
    assert restore_state(tmp_path, state.named, print) == {}
    for copy in replicas.strategy.experimental_local_results(state.named["toy/dense/kernel"]):
        np.testing.assert_array_equal(copy, np.ones((3, 2)))
    assert int(state.step.numpy()) == 6


def test_state_of_another_optimizer_is_refused(tmp_path):
    write_snapshot(
        tmp_path, 5, {w.path: w.numpy() for w in make_toy().weights} | {"global_step": np.int64(5)}
    )
    with pytest.raises(UserError, match="holds weights alone, nothing of the optimizer"):
        restore_state(tmp_path, state_of(make_toy()).named, print)


def test_a_damaged_newest_snapshot_is_set_aside(tmp_path):
    write_toy(tmp_path, step=5)
    newest = write_toy(tmp_path, step=8)
    truncate(newest, ".data-00000-of-00001")
    told = []
    state = state_of(make_toy())
    restore_state(tmp_path, state.named, told.append)
    assert int(state.step.numpy()) == 5
    assert len(told) == 1
    assert "model.ckpt-8 is damaged" in told[0]
    assert [Path(p).name for p in list_snapshots(tmp_path)] == ["model.ckpt-5"]
    assert (tmp_path / "model.ckpt-8.index.damaged").exists()


def test_nothing_but_damaged_snapshots_is_an_error(tmp_path):
    truncate(write_toy(tmp_path), ".index")
    with pytest.raises(UserError, match=r"model\.ckpt-5 is damaged"):
        restore_state(tmp_path, state_of(make_toy()).named, print)
    assert len(list_snapshots(tmp_path)) == 1
