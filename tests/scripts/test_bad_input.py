"""Mistakes end in one line and exit code 1, and leave an earlier run as it was, with --overwrite too."""

import os
import shutil

import numpy as np
import pytest

from stacked_capsules.data import tfrecord
from tests.scripts.tiny_runs import TRAIN, contents

pytestmark = pytest.mark.slow
N = 20


def mnist(path, change=lambda arrays: arrays):
    """Writes a small file in the layout of Keras' mnist.npz."""
    arrays = {
        **{f"x_{split}": np.full([N, 28, 28], 9, np.uint8) for split in ("train", "test")},
        **{f"y_{split}": np.arange(N) % 10 for split in ("train", "test")},
    }
    np.savez(path, **change(arrays))
    return path


def truncated(path):
    os.truncate(path, path.stat().st_size // 2 - 5)
    return path


def with_nan(arrays):
    images = np.zeros([N, 28, 28], np.float32)
    images[7, 3, 3] = np.nan
    return {**arrays, "x_train": images}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    mnist(folder / "good.npz")
    truncated(mnist(folder / "truncated.npz"))
    mnist(folder / "labels.npz", lambda arrays: {**arrays, "y_test": np.arange(N)})
    mnist(folder / "nan.npz", with_nan)
    tfrecord.write(folder / "good.tfrecord", np.full([N, 28, 28, 1], 9, np.uint8), np.arange(N) % 10)
    truncated(shutil.copy(folder / "good.tfrecord", folder / "truncated.tfrecord"))
    return folder


#: Flags that are wrong -> what the line says: what, where, what to do.
MISTAKES = {
    "--dataset=mnits": ("--dataset=mnits", "no such data set", "choose one of mnist, digits"),
    "--model=scea": ("--model=scea", "no such model", "choose one of scae, constellation"),
    "--model=constellation": ("--model=constellation cannot learn from --dataset=digits",),
    "--template_nonlin=relu7": ("template_nonlin: 'relu7' is not known", "sigmoid"),
    "--color_nonlin=relu7": ("color_nonlin: 'relu7' is not known", "sigmoid"),
    "--encoder_type=vit": ("encoder_type must be one of linear, conv, conv_att, not 'vit'",),
    "--vote_type=x": ("vote_type must be one of enc, soft, hard, not 'x'",),
    "--prior_sparsity_loss_type=l1": ("l1", "l2"),
    "--presence_mask=x": ("presence_mask must be one of as_run, log, not 'x'",),
    "--canvas_size=7": ("digits", "8x8", "--canvas_size=7", "set it to 8 or more"),
    "--dataset=mnist --data_dir={files}/good.npz --canvas_size=27": ("28x28", "set it to 28 or more"),
    "--template_size=29": ("template_size", "(29, 29)", "larger than the canvas", "(28, 28)"),
    "--n_channels=3": ("images have 1 channels", "set --n_channels=1"),
    "--n_part_caps=0": ("n_part_caps must be an integer of at least 1, not 0",),
    "--cnn_strides=2,a": ("--cnn_strides=2,a", "give integers"),
    "--cnn_strides=2,2": ("4 layers, but 2 strides",),
    "--cnn_strides=2,2,2,2": ("images of (28, 28) are too small", "smaller cnn_strides"),
    "--batch_size=0": ("--batch_size=0", "at least 1"),
    "--batch_size=9 --replicas=2": ("a batch of 9", "2 replicas", "a multiple of 2"),
    "--jit_compile --replicas=2": ("--jit_compile is for one replica", "--replicas=1"),
    "--strategy=sngle": ("--strategy=sngle", "single"),
    "--lr=nan": ("--lr=nan", "finite"),
    "--lr=-1": ("lr must be at least 0, not -1",),
    "--optimizer=sgd": ("optimizer must be one of rmsprop, adam, not 'sgd'",),
    "--part_lr=1e-4 --lr=0": ("--part_lr=0.0001", "relative to --lr", "not be 0"),
    "--model=constellation --dataset=constellation --part_lr=1e-4": ("--part_lr=0.0001", "no part capsules"),
    "--model=constellation --dataset=constellation --objects_from=9": ("--objects_from=9", "no part"),
    "--objects_from=-1": ("objects_from must be an integer of at least 0, not -1",),
    "--objects_from=9 --parts_until=8": (
        "--parts_until=8",
        "nothing would learn",
        "set --objects_from to at most 8",
    ),
    "--parts_until=8 --vote_type=soft": ("--vote_type=soft", "cannot learn alone", "--vote_type=enc"),
    "--checkpoint={files}": ("there is no snapshot", "holds none"),
    "--checkpoint={logdir}/tiny": ("--overwrite clears", "is in it"),
    "--cosine_from=9": ("--cosine_from=9", "give --cosine_steps too"),
    "--cosine_to=0.5": ("--cosine_to=0.5", "give --cosine_steps too"),
    "--cosine_to=2": ("cosine_to must be from 0 to 1, not 2",),
    "--presence_noise=-1": ("presence_noise must be at least 0, not -1",),
    "--ema=2": ("ema must be below 1, not 2",),
    "--max_train_steps=-1": ("max_train_steps must be an integer of at least 0, not -1",),
    "--dataset=mnist --data_dir={files}/absent.npz": ("absent.npz: no such file", "--dataset=digits"),
    "--dataset=mnist --data_dir={files}/truncated.npz": ("truncated.npz: damaged", "replace the file"),
    "--dataset=mnist --data_dir={files}/labels.npz": ("label: values from 0 to 19", "set --n_classes=20"),
    "--dataset=mnist --data_dir={files}/nan.npz": ("nan.npz, x_train: 1 of 20 images hold NaN", "index 7"),
    "--dataset=mnist --data_dir={files}/good.npz --n_classes=9": ("label: values from 0 to 9",),
    "--dataset=tfrecord --data_dir={files}/absent.tfrecord": ("absent.tfrecord: no such file", "--data_dir"),
    "--dataset=tfrecord --data_dir={files}/truncated.tfrecord": ("truncated.tfrecord: truncated", "again"),
    "--dataset=tfrecord": ("--dataset=tfrecord: set --data_dir",),
    "--model=constellation --dataset=constellation --decoder=x": ("decoder must be one of capsule, plain",),
    "--model=constellation --dataset=constellation --which_patterns=0,9": ("which_patterns", "0 to 3"),
    "--model=constellation --dataset=constellation --which_patterns=a": ("--which_patterns=a", "basic"),
    "--model=constellation --dataset=constellation --capsule_presence=x": ("must be one of binary, soft",),
    "--model=constellation --dataset=constellation --posterior_points=x": ("must be one of all, present",),
}


@pytest.fixture(scope="module")
def earlier(trained, tmp_path_factory):
    """A run that mistakes have to leave alone."""
    folder = tmp_path_factory.mktemp("earlier") / "tiny"
    shutil.copytree(trained, folder)
    return folder


@pytest.mark.parametrize("wrong", MISTAKES)
def test_a_mistake_is_noticed_before_an_earlier_run_is_cleared(processes, earlier, files, wrong):
    before = contents(earlier)
    flags = (*TRAIN, f"--logdir={earlier.parent}/{{name}}", "--overwrite")
    given = wrong.format(files=files, logdir=earlier.parent)
    line = processes.run("scripts.train", *flags, *given.split()).mistake
    for words in MISTAKES[wrong]:
        assert words in line
    assert contents(earlier) == before


def test_another_architecture_is_not_resumed(processes, earlier):
    before = contents(earlier)
    flags = (*TRAIN, f"--logdir={earlier.parent}/{{name}}", "--max_train_steps=9")
    line = processes.run("scripts.train", *flags, "--n_obj_caps=3", "--feed_templates=False").mistake
    for words in ("another architecture", "--n_obj_caps=2 (now 3)", "--feed_templates=true (now false)"):
        assert words in line
    assert "--overwrite" in line
    assert contents(earlier) == before


def test_damaged_snapshots(processes, trained, tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(trained, folder)
    truncated(folder / "model.ckpt-4.data-00000-of-00001")
    scored = processes.run("scripts.eval_mnist", f"--snapshot={folder}/model.ckpt-4").mistake
    assert f"the snapshot {folder}/model.ckpt-4 is damaged" in scored
    truncated(folder / "model.ckpt-3.index")
    before = contents(folder)
    line = processes.run("scripts.train", *TRAIN, f"--logdir={tmp_path}/{{name}}").mistake
    assert "is damaged" in line
    assert contents(folder) == before


def test_snapshots_that_cannot_be_scored(processes, earlier):
    before = contents(earlier)
    cases = {
        f"--snapshot={earlier}/model.ckpt-7": "there is no snapshot",
        "--snapshot=": "--snapshot is missing",
        f"--snapshot={earlier} --n_obj_caps=5": "another architecture",
        f"--snapshot={earlier} --dataset=mnist --data_dir=/absent.npz": "/absent.npz: no such file",
    }
    for wrong, words in cases.items():
        assert words in processes.run("scripts.eval_mnist", *wrong.split()).mistake
    line = processes.run("scripts.eval_constellation", f"--snapshot={earlier}").mistake
    assert "this script scores constellation models" in line
    assert contents(earlier) == before


def test_a_folder_that_cannot_be_written(processes, tmp_path):
    (tmp_path / "file").write_text("x")  # permissions do not stop root, who may run this
    for logdir in (tmp_path / "file", tmp_path / "file" / "{name}", "/proc/none/{name}"):
        line = processes.run("scripts.train", *TRAIN, f"--logdir={logdir}").mistake
        assert "cannot write to the run's folder" in line
        assert "choose another --logdir" in line
    assert (tmp_path / "file").read_text() == "x"
    line = processes.run("scripts.train", *TRAIN, "--logdir=runs/{nmae}").mistake
    assert "/runs/{nmae} is not a template: only {name} may be a field, and other braces are doubled" in line
