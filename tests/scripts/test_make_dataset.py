import subprocess
import sys

import h5py
import numpy as np
from PIL import Image


def test_a_file_is_written_and_not_overwritten_by_accident(tmp_path):
    command = [
        sys.executable,
        "-m",
        "scripts.make_dataset",
        "--n_train=3",
        "--n_test=2",
        f"--out={tmp_path}/a.h5",
        f"--picture={tmp_path}/a.png",
    ]
    subprocess.run(command, check=True, capture_output=True)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["train/imgs"].shape == (3, 35, 35, 3)
        assert file["test/masks"].shape == (2, 4, 35, 35, 1)
        scene = file["test/imgs"][0].repeat(2, axis=0).repeat(2, axis=1)
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, scene.shape)[:, :, 0]
    assert (windows == scene).all(axis=(2, 3, 4)).any()
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].startswith(f"error: {tmp_path}/a.h5 exists")
