"""Runs small enough for a test, and what is compared of them."""

import json
from pathlib import Path

#: An image model on digits.
IMAGES = (
    *("--dataset=digits", "--n_part_caps=3", "--n_obj_caps=2", "--template_size=5"),
    *("--n_part_special_features=2", "--batch_size=8"),
)
TRAIN = (
    "--pixel_likelihood=whole",  # nothing to compile; `IMAGES` alone is scored in blocks
    *(*IMAGES, "--name=tiny", "--max_train_steps=4", "--run_updates_every=1", "--report_loss_steps=2"),
    *("--summary_steps=2", "--snapshot_steps=3", "--lr=1e-3"),
)
POINTS = (
    *("--model=constellation", "--dataset=constellation", "--batch_size=4", "--n_votes=2"),
    *("--run_updates_every=5", "--report_loss_steps=20", "--snapshot_steps=10", "--lr=1e-3"),
)
SCENES = (
    *("--dataset=tetrominoes", "--input_size=3,35,35", "--image_decoder=small", "--K=2", "--z_size=4"),
    *("--stochastic_layers=1", "--refinement_curriculum=-1:1", "--batch_size=2", "--n_test=5"),
    *("--plot=False", "--tensorboard_freq=20", "--checkpoint_freq=10"),
)


def metrics(folder: Path) -> list[dict[str, float]]:
    """Reads `metrics.jsonl` without what depends on the machine."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "examples_per_s")} for line in lines]


def contents(folder: Path) -> dict[str, bytes]:
    """Reads all files of a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
