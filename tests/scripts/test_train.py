"""The training script from end to end: what it leaves, how it goes on, on how many replicas."""

import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from discovery.flag_files import options_of
from discovery.snapshots import list_snapshots, read_snapshot
from discovery.training.run_folder import read_flags
from stacked_capsules.configuration import SCAEConfig
from stacked_capsules.seeded_models import make_scae
from tests.scripts.tiny_runs import TRAIN, contents, metrics

pytestmark = pytest.mark.slow


def test_what_a_run_leaves(trained):
    flags = read_flags(trained)
    assert flags["name"] == "tiny"
    assert flags["n_part_caps"] == "3"
    assert flags["cnn_strides"] == "2,2,1,1"
    assert [os.path.basename(p) for p in list_snapshots(trained)] == ["model.ckpt-3", "model.ckpt-4"]
    assert tf.train.latest_checkpoint(str(trained)) == str(trained / "model.ckpt-4")
    lines = metrics(trained)
    assert [line["step"] for line in lines] == [2, 4]
    wanted = {"train/loss", "valid/loss", "train/best_cls_acc", "train/grad_global_norm", "lr"}
    assert wanted <= lines[0].keys()
    assert all(np.isfinite(list(line.values())).all() for line in lines)
    assert lines[1]["lr"] == pytest.approx(1e-3 * 0.96 ** (3 / 10_000), rel=1e-6)  # scheduled
    pictures = sorted((trained / "plots").glob("*.png"))
    assert {"reconstructions.png", "templates.png", "learning_curves.png"} <= {p.name for p in pictures}
    for path in pictures:
        with Image.open(path) as picture:
            assert np.asarray(picture).std() > 0
    report = (trained / "report.html").read_text()
    for text in ("scae on digits", "--n_part_caps", "reconstructions, step 4", "best_cls_acc", "keras"):
        assert text in report
    assert json.loads((trained / "run.json").read_text())["changed_flags"]["lr"] == "0.001"
    summaries = {}
    for path in trained.glob("events.*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            summaries.setdefault(event.step, set()).update(value.tag for value in event.summary.value)
    assert {"train/loss", "valid/loss", "grad/abs_max"} <= summaries[2]
    assert {"train/loss", "reconstructions", "templates"} <= summaries[4]


def test_started_again_with_its_own_flags_it_goes_on(processes, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "tiny")
    flags = (f"--flagfile={trained}/flags.txt", f"--logdir={tmp_path}/{{name}}", "--noplot")
    again = processes.run("scripts.train", *flags, "--max_train_steps=6")
    assert again.code == 0, again.stderr
    assert "resumes from step 4" in again.stdout
    assert metrics(tmp_path / "tiny")[:2] == metrics(trained)
    assert [line["step"] for line in metrics(tmp_path / "tiny")] == [2, 4, 6]
    done = processes.run("scripts.train", *flags, "--max_train_steps=6")
    assert (done.code, "has 6 training steps already" in done.stdout) == (0, True)


def test_parts_have_their_learning_rate_and_the_rate_falls(processes, tmp_path):
    """The parts' is as good as none; the run goes on with its optimizer's slots."""
    flags = (
        *TRAIN,
        "--optimizer=adam",
        "--part_lr=1e-30",
        "--nouse_lr_schedule",
        f"--logdir={tmp_path}/{{name}}",
    )
    falls = ("--cosine_from=1", "--cosine_steps=2", "--cosine_to=0.5")
    for n_steps in (4, 6):
        ended = processes.run("scripts.train", *flags, *falls, f"--max_train_steps={n_steps}")
        assert ended.code == 0, ended.stderr
    assert "resumes from step 4" in ended.stdout
    lines = metrics(tmp_path / "tiny")
    # of the last step before each report: one step had been taken, three, five
    assert [line["lr"] for line in lines] == pytest.approx([1e-3, 0.5e-3, 0.5e-3])
    trained = read_snapshot(str(tmp_path / "tiny"))
    assert {name.rpartition("/")[2] for name in trained} >= {"adam_m", "adam_v"}
    initial = make_scae(options_of(SCAEConfig, read_flags(tmp_path / "tiny")))
    changed = {
        weight.path.split("/")[1]
        for weight in initial.weights
        if not np.allclose(weight.numpy(), trained[weight.path], rtol=0.0, atol=1e-20)
    }
    assert changed == {"object_encoder", "object_decoder", "prior_probe", "posterior_probe"}


def test_parts_learn_first_and_objects_after_them(processes, tmp_path):
    """The run stops between phases and goes on; what does not learn keeps its values to the last bit."""
    flags = (*TRAIN, "--objects_from=2", "--parts_until=4", f"--logdir={tmp_path}/{{name}}")
    flags = (*flags, "--report_loss_steps=1", "--run_updates_every=1", "--snapshots_to_keep=0")
    for n_steps in (3, 6):
        ended = processes.run("scripts.train", *flags, f"--max_train_steps={n_steps}", "--snapshot_steps=1")
        assert ended.code == 0, ended.stderr
    states = {step: read_snapshot(f"{tmp_path}/tiny/model.ckpt-{step}") for step in (1, 2, 4, 5)}
    of_parts = [name for name in states[1] if "/part_" in name and name.endswith(("kernel", "bias", "rms"))]
    of_objects = [name for name in states[1] if "/object_" in name and name.endswith("kernel")]
    for first, last, moving, resting in ((1, 2, of_parts, of_objects), (4, 5, of_objects, of_parts)):
        assert any((states[first][name] != states[last][name]).any() for name in moving)
        for name in resting:
            np.testing.assert_array_equal(states[first][name], states[last][name], err_msg=name)
    assert all((states[2][name] != states[4][name]).any() for name in (of_parts[0], of_objects[0]))
    told = [{"train/mse", "train/log_prob"} & {*line} for line in metrics(tmp_path / "tiny")]
    assert told == [{"train/mse"}] * 2 + [{"train/mse", "train/log_prob"}] * 2 + [{"train/log_prob"}] * 2


def test_a_new_run_begins_with_another_s_weights(processes, trained, tmp_path):
    before = contents(trained)
    flags = (*TRAIN, "--name=new", "--lr=1e-30", f"--logdir={tmp_path}/{{name}}")
    begun = processes.run("scripts.train", *flags, f"--checkpoint={trained}", "--optimizer=adam")
    assert begun.code == 0, begun.stderr
    assert f"begins with the weights of {trained}/model.ckpt-4" in begun.stdout
    assert [os.path.basename(p) for p in list_snapshots(tmp_path / "new")] == ["model.ckpt-3", "model.ckpt-4"]
    assert [line["step"] for line in metrics(tmp_path / "new")] == [2, 4]
    old, new = read_snapshot(str(trained)), read_snapshot(str(tmp_path / "new"))
    for name in (name for name in old if f"{name}/rms" in old):
        np.testing.assert_allclose(new[name], old[name], rtol=0.0, atol=1e-20, err_msg=name)
    line = processes.run("scripts.train", *flags, f"--checkpoint={trained}", "--n_obj_caps=3", "--name=other")
    assert "another architecture" in line.mistake
    assert "of another shape" in line.mistake
    assert contents(trained) == before


def test_replicas_tell_what_one_tells(processes, trained, tmp_path):
    flags = ("--replicas=2", "--max_train_steps=2", f"--logdir={tmp_path}/{{name}}")
    several = processes.run("scripts.train", *TRAIN, *flags)
    assert several.code == 0, several.stderr
    got, want = metrics(tmp_path / "tiny"), metrics(trained)[:1]
    # Rounding grows tenfold in each step: 1e-7 in the first, 1e-3 in the fourth.
    assert [line["step"] for line in got] == [2]
    assert got[0] == pytest.approx(want[0], rel=1e-5, abs=1e-6)


def test_evaluation_of_what_was_trained(processes, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "tiny")
    flags = (f"--snapshot={tmp_path}/tiny/model.ckpt-3", f"--json={tmp_path}/a/scores.json")
    ended = processes.run("scripts.eval_mnist", *flags, "--tsne_figure_name=")
    assert ended.code == 0, ended.stderr
    scores = json.loads((tmp_path / "a" / "scores.json").read_text())
    assert scores == json.loads((tmp_path / "tiny" / "eval" / "eval_mnist-3.json").read_text())
    assert (scores["step"], scores["n_examples"]) == (3, {"train": 1501, "valid": 296})
