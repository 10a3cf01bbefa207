"""A few steps of each picture, evenly spaced, however long a run becomes."""

import numpy as np
import pytest
from PIL import Image

from discovery.training.pictures_over_time import N_STEPS, copies, forget_after, keep_small_copy, surplus


@pytest.mark.parametrize("n", [3, 6, 7, 50, 333, 1000])
def test_steps_stay_evenly_spaced(n):
    steps = []
    for step in range(1, n + 1):
        steps.append(step)
        for spare in surplus(steps):
            steps.remove(spare)
    assert len(steps) == min(n, N_STEPS)
    assert (steps[0], steps[-1]) == (1, n)
    gaps = np.diff(steps)
    assert gaps.max() <= 2 * n / (N_STEPS - 1) + 1
    assert len(steps) < N_STEPS or (gaps[:-1] + gaps[1:]).min() >= gaps.max() / 2


def test_files(tmp_path):
    for step in range(100, 1000, 100):
        for name in ("a-b", "learning_curves"):
            keep_small_copy(tmp_path, name, step, np.full((30, 960, 3), step // 10, np.uint8))
    found = copies(tmp_path)
    assert list(found) == ["a-b"]  # learning curves show all steps already
    assert len(found["a-b"]) == N_STEPS
    for step, path in found["a-b"].items():
        with Image.open(path) as image:
            assert image.size == (480, 15)
            assert image.getpixel((3, 3)) == (step // 10,) * 3
    forget_after(tmp_path, 100)
    assert list(copies(tmp_path)["a-b"]) == [100]
