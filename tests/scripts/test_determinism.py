"""With --deterministic two runs of a configuration give the same bits, at every one of 200 steps.

Sizes are small, and data are random where a configuration's own are not at hand. Two configurations are run
by default, and all of them with ALL_CONFIGS=1, which takes half an hour.
"""

import os

import h5py
import numpy as np
import pytest

from protocols.snapshots import read_snapshot
from stacked_capsules.data import tfrecord
from tests.scripts.test_configs import CONFIGS, SCAE
from tests.scripts.tiny_runs import metrics

pytestmark = pytest.mark.slow

N_STEPS = 200
BY_DEFAULT = ("constellation", "slot_attention_tetrominoes")

COMMON = ("--deterministic", "--plot=False", "--snapshot_secs=0", f"--run_updates_every={N_STEPS + 1}")
IMAGES = (
    *("--dataset=tfrecord", "--data_dir={folder}/{channels}.tfrecord", "--batch_size=4", "--n_part_caps=3"),
    *("--n_obj_caps=3", "--template_size=5", "--n_part_special_features=2", "--canvas_size=24"),
)
SCENES = (
    *("--dataset=tetrominoes", "--data_path={folder}/{size}.h5", "--input_size=3,{size},{size}", "--K=2"),
    *("--batch_size=2", "--checkpoint_freq=0", "--geco_warm_start=100", "--refinement_curriculum=-1:2,150:1"),
)


def command(name, folder):
    """A script and its flags."""
    own = f"--flagfile={next(path for path in CONFIGS if path.stem == name)}"
    if name == "constellation":
        flags = ("scripts.train", own, "--batch_size=4")
    elif name in SCAE:
        flags = ("scripts.train", own, *IMAGES)
    else:
        flags = ("scripts.train_emorl", own, *SCENES)
    length = f"--iters={N_STEPS}" if name not in SCAE else f"--max_train_steps={N_STEPS}"
    every = "--tensorboard_freq=1" if name not in SCAE else "--report_loss_steps=1"
    fill = {
        "{folder}": str(folder),
        "{channels}": "3" if name in ("svhn", "cifar10") else "1",
        "{size}": "96" if name == "slot_attention_clevr6" else "12",  # what its decoder renders
    }
    for key, value in fill.items():
        flags = [flag.replace(key, value) for flag in flags]
    return [*flags, *COMMON, length, every, f"--logdir={folder}/{{name}}"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Random images and scenes."""
    folder, random = tmp_path_factory.mktemp("random"), np.random.default_rng(0)
    for channels in (1, 3):
        images = random.integers(0, 256, (40, 20, 20, channels), np.uint8)
        tfrecord.write(folder / f"{channels}.tfrecord", images, np.arange(40) % 10)
    for size in (12, 96):
        with h5py.File(folder / f"{size}.h5", "w") as file:
            for group in ("train", "test"):
                file[f"{group}/imgs"] = random.integers(0, 256, (16, size, size, 3), np.uint8)
    return folder


@pytest.mark.parametrize("name", [path.stem for path in CONFIGS])
def test_two_runs_give_the_same_bits(processes, folder, name):
    if name not in BY_DEFAULT and not os.environ.get("ALL_CONFIGS"):
        pytest.skip("takes long: set ALL_CONFIGS=1 to run every configuration")
    for run in "ab":
        ended = processes.run(*command(name, folder), f"--name={name}_{run}")
        assert ended.code == 0, ended.stderr
    one, other = (folder / f"{name}_{run}" for run in "ab")
    assert [line["step"] for line in metrics(one)] == list(range(1, N_STEPS + 1))
    assert metrics(one) == metrics(other)
    arrays, others = (read_snapshot(str(run)) for run in (one, other))
    assert arrays.keys() == others.keys()
    assert all(arrays[key].tobytes() == others[key].tobytes() for key in arrays)
