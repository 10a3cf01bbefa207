import subprocess
import sys

import h5py
import numpy as np


def test_a_file_without_test_scenes_trains(tmp_path):
    with h5py.File(tmp_path / "scenes.h5", "w") as file:
        file["train/imgs"] = np.zeros((4, 12, 12, 3), np.uint8)
    arguments = [
        f"--data_path={tmp_path}/scenes.h5",
        "--dataset=tetrominoes",
        "--image_decoder=small",
        "--K=2",
    ]
    arguments += [
        "--input_size=3,12,12",
        "--z_size=4",
        "--stochastic_layers=1",
        "--refinement_curriculum=-1:1",
    ]
    arguments += ["--batch_size=2", "--iters=1", "--name=a", f"--logdir={tmp_path}/{{name}}", "--plot=False"]
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.train_emorl", *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "Reports under valid/ are of training scenes" in ended.stdout
    assert (tmp_path / "a" / "model.ckpt-1.index").exists()
