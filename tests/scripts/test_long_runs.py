"""Thousands of steps of the toy and of either training script: memory does not grow with them."""

import os
import time

import h5py
import numpy as np
import pytest

from tests.scripts.tiny_runs import metrics

pytestmark = pytest.mark.slow

N_STEPS = 4000
#: name -> steps between reports, and the command.
RUNS = {
    # A return to Python at each step, 400 reports and 266 summaries. (Snapshots write a page of all reports.)
    "toy": (10, "tests.discovery.training.toy_run", "--folder={folder}/long", f"--steps={N_STEPS}"),
    "scae": (
        *(50, "scripts.train", "--name=long", "--logdir={folder}/{name}", f"--max_train_steps={N_STEPS}"),
        *("--model=constellation", "--dataset=constellation", "--batch_size=2", "--n_votes=2", "--n_caps=2"),
        *("--n_caps_params=4", "--steps_per_call=50", "--run_updates_every=50", "--report_loss_steps=50"),
        *("--summary_steps=500", "--snapshot_steps=500", "--skip_absent_points", "--encoder_lanes=2"),
    ),
    "emorl": (
        *(100, "scripts.train_emorl", "--name=long", "--logdir={folder}/{name}", f"--iters={N_STEPS}"),
        *("--data_path={folder}/scenes.h5", "--dataset=tetrominoes", "--input_size=3,8,8", "--batch_size=1"),
        *("--image_decoder=small", "--K=2", "--z_size=2", "--stochastic_layers=1", "--plot=False"),
        *("--refinement_curriculum=-1:1", "--steps_per_call=50", "--tensorboard_freq=100"),
        "--checkpoint_freq=500",
    ),
}


def resident_bytes(pid):
    """Memory that the process has written, without pages of programs and libraries; 0: it has ended."""
    with open(f"/proc/{pid}/status") as file:
        sizes = dict(line.split(":", 1) for line in file)
    return 1024 * int(sizes.get("RssAnon", "0 kB").split()[0])


def slope(values, every):
    """Theil and Sen's: the median over all pairs, which single jumps leave alone."""
    i, j = np.triu_indices(len(values), 1)
    return np.median((values[j] - values[i]) / (j - i)) / every


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads memory from /proc")
@pytest.mark.parametrize("name", RUNS)
def test_memory_is_flat(processes, tmp_path, monkeypatch, name):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")  # what threads leave unused in heaps of their own is no leak
    with h5py.File(tmp_path / "scenes.h5", "w") as file:
        for group in ("train", "test"):
            images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3), np.uint8)
            file[f"{group}/imgs"] = images
    every, module, *flags = RUNS[name]
    process = processes.start(module, *(flag.replace("{folder}", str(tmp_path)) for flag in flags))
    os.sched_setaffinity(process[0], {min(os.sched_getaffinity(process[0]))})  # one thread: cheaper by far

    memory, lines, n_reports = [], tmp_path / "long" / "metrics.jsonl", N_STEPS // every
    while len(memory) < n_reports - 1:
        n, now = lines.read_bytes().count(b"\n") if lines.exists() else 0, resident_bytes(process[0])
        if not now:  # it has ended
            break
        memory += [now] * (n - len(memory))
        time.sleep(0.002)
    ended = processes.wait(process)
    assert ended.code == 0, ended.stderr
    assert [line["step"] for line in metrics(lines.parent)][-1] == N_STEPS
    # In the first half summaries, snapshots and pages still find their place; a leak goes on.
    # A tensor that is kept at each step is 500 bytes; a page takes 5 KB more for each report before it.
    growth = slope(np.array(memory[n_reports // 2 :]), every)
    print(f"{name}: {growth:.0f} bytes a step; in KB: {[m >> 10 for m in memory[:: n_reports // 20]]}")
    assert growth < 250
