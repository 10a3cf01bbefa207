"""A run's folder is never lost by mistake."""

import os
from pathlib import Path

import numpy as np
import pytest
from absl import flags

from discovery import UserError
from discovery.training.run_folder import folder_of_run, prepare_run_folder, read_flags, write_flags
from discovery.training.save_and_resume import write_snapshot

FLAGS = {"name": "a", "lr": "0.1", "size": "3", "overwrite": "true"}


def make_run(folder, **changes):
    snapshots = prepare_run_folder(folder, FLAGS | changes, architecture=("size",))
    write_flags(folder, FLAGS | changes)
    write_snapshot(folder, 5, {"x": np.zeros(1)})
    (folder / "plots").mkdir()
    for name in ("metrics.jsonl", "plots/loss.png", "report.html", "events.out.tfevents.1"):
        (folder / name).write_text("{}")
    return snapshots


def test_template():
    assert folder_of_run("checkpoints/{name}", "a") == Path("checkpoints/a")
    assert folder_of_run("/x/{name}/y", "a") == Path("/x/a/y")
    assert folder_of_run("plain", "a") == Path("plain")
    for logdir in ("{nme}", "{", "{0}"):
        with pytest.raises(UserError, match="not a template"):
            folder_of_run(logdir, "a")
    for name in ("", "..", "a/b"):
        with pytest.raises(UserError, match="cannot name a run"):
            folder_of_run("{name}", name)


def test_flags_are_a_flagfile(tmp_path):
    values = flags.FlagValues()
    flags.DEFINE_float("lr", 1.0, "", flag_values=values)
    flags.DEFINE_list("strides", ["2"], "", flag_values=values)
    flags.DEFINE_boolean("overwrite", False, "", flag_values=values)
    flags.DEFINE_string("text", "", "", flag_values=values)
    write_flags(tmp_path, {"lr": "1e-05", "strides": "1,2", "overwrite": "true", "text": "a = b"})
    values(["program", f"--flagfile={tmp_path}/flags.txt"])
    assert (values.lr, values.strides, values.text) == (1e-5, ["1", "2"], "a = b")
    assert not values.overwrite  # or whoever goes on with a run's own flags would delete it
    assert read_flags(tmp_path)["text"] == "a = b"
    with pytest.raises(UserError, match="--text has a line break"):
        write_flags(tmp_path, {"text": "a\n--lr=3"})


def test_damaged_flags(tmp_path):
    assert read_flags(tmp_path) == {}
    (tmp_path / "flags.txt").write_bytes(b"--lr=1\n\xff\xfe")
    with pytest.raises(UserError, match=r"flags\.txt is damaged"):
        read_flags(tmp_path)


def test_new_and_resumed(tmp_path):
    folder = tmp_path / "runs" / "a"
    assert make_run(folder) == []
    snapshots = prepare_run_folder(folder, FLAGS | {"lr": "0.2"}, architecture=("size",))
    assert [Path(s).name for s in snapshots] == ["model.ckpt-5"]
    assert read_flags(folder)["lr"] == "0.1"  # until its snapshot turned out to be of use


def test_another_architecture_is_refused(tmp_path):
    make_run(tmp_path)
    before = (tmp_path / "flags.txt").read_bytes()
    with pytest.raises(UserError, match=r"--size=3 \(now 4\)"):
        prepare_run_folder(tmp_path, FLAGS | {"size": "4", "lr": "1"}, architecture=("size", "new"))
    assert (tmp_path / "flags.txt").read_bytes() == before


def test_flags_that_cannot_be_written_are_noticed_before_a_run_is_cleared(tmp_path):
    make_run(tmp_path)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(UserError, match="--text has a line break"):
        prepare_run_folder(tmp_path, FLAGS | {"text": "a\nb"}, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == before


def test_overwrite_clears_a_run(tmp_path):
    make_run(tmp_path)
    assert prepare_run_folder(tmp_path, FLAGS | {"size": "4"}, ("size",), overwrite=True) == []
    assert os.listdir(tmp_path) == []
    assert prepare_run_folder(tmp_path / "new", FLAGS, overwrite=True) == []


@pytest.mark.parametrize("stranger", ["notes.txt", "photos", "model.py"])
def test_overwrite_spares_what_no_run_writes(tmp_path, stranger):
    make_run(tmp_path)
    (tmp_path / stranger).mkdir()
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(UserError, match=f"holds {stranger}, which no run writes"):
        prepare_run_folder(tmp_path, FLAGS, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == before


def test_overwrite_spares_folders_of_others(tmp_path):
    (tmp_path / "holiday.png").write_bytes(b"x")
    with pytest.raises(UserError, match="not a run's folder"):
        prepare_run_folder(tmp_path, FLAGS, overwrite=True)
    assert os.listdir(tmp_path) == ["holiday.png"]


def test_links_are_not_followed(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    make_run(run)
    other.mkdir()
    (other / "precious").write_text("x")
    (run / "eval").symlink_to(other)
    prepare_run_folder(run, FLAGS, overwrite=True)
    assert (other / "precious").exists()


def test_unwritable(tmp_path):
    (tmp_path / "file").write_text("x")  # tests may run as root, whom permissions do not stop
    for folder in (tmp_path / "file", tmp_path / "file" / "a", Path("/proc/none/a")):
        with pytest.raises(UserError, match=r"cannot write to the run's folder .*; choose another --logdir"):
            prepare_run_folder(folder, FLAGS)
