"""Every configuration of configs/, made small, with random data where its own are not at hand."""

import h5py
import numpy as np

from stacked_capsules.data import tfrecord
from tests.scripts.test_configs import CONFIGS, SCAE

#: Steps that a command takes.
N_STEPS = 200

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
    path = next(path for path in CONFIGS if path.stem == name)
    own = f"--flagfile={path}"
    if name.startswith("constellation"):
        flags = ("scripts.train", own, "--batch_size=4")
    elif name in SCAE:
        starts = ["--objects_from=50", "--parts_until=100"] if "--parts_until" in path.read_text() else []
        flags = ("scripts.train", own, *IMAGES, *starts)
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


def write_random_data(folder):
    """Writes the images and scenes that the commands read."""
    random = np.random.default_rng(0)
    for channels in (1, 3):
        images = random.integers(0, 256, (40, 20, 20, channels), np.uint8)
        tfrecord.write(folder / f"{channels}.tfrecord", images, np.arange(40) % 10)
    for size in (12, 96):
        with h5py.File(folder / f"{size}.h5", "w") as file:
            for group in ("train", "test"):
                file[f"{group}/imgs"] = random.integers(0, 256, (16, size, size, 3), np.uint8)
