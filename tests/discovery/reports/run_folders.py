"""Runs' folders for pages about them, written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from discovery.training.pictures_over_time import keep_small_copy
from discovery.training.run_facts import write_facts
from discovery.training.run_folder import write_flags

FLAGS = {
    "name": "mine",
    "model": "EfficientMORL",
    "dataset": "tetrominoes",
    "seed": "7",
    "iters": "12000",
    "geco_reconstruction_target": "-1.224",
    "data_path": "/" + "very_long_folder" * 12 + "/scenes.h5",
}
SCORES = {
    "snapshot": "somewhere/model.ckpt-1000",
    "step": 1000,
    "num_images": 320,
    "ARI": {"mean": 0.975, "std": 0.05},
    "MSE": {"mean": 3.125e-4, "std": 1e-4},
    "KL": None,
    "pictures": ["a.png"],
}


def picture(seed: int, height: int = 90, width: int = 300) -> np.ndarray:
    """A picture [H, W, 3] that no encoder makes small."""
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def write_folder(folder: Path, seed: int = 0, n_reports: int = 40, **flags: str) -> Path:
    """Writes what a run of 100 steps a report leaves, its evaluation included; returns its folder."""
    (folder / "plots").mkdir(parents=True)
    (folder / "eval").mkdir()
    write_flags(folder, FLAGS | flags)
    changed = {name: value for name, value in (FLAGS | flags).items() if name != "model"}
    write_facts(folder, {"seed": 7, "changed_flags": changed}, 0)
    noise = np.random.default_rng(seed).normal(size=(n_reports, 4))
    lines = []
    for i, (a, b, c, d) in enumerate(noise.tolist()):
        told = {"step": 100 * i + 100, "train/loss": 900 / (i + 1) + a, "valid/loss": 950 / (i + 1) + b}
        told |= {"train/kl": 70 + c, "valid/kl": 70 + d, "train/geco_beta": 1.5, "lr": 4e-4}
        told |= {f"valid/votes_{k}": k + a for k in range(3)} | {
            "seconds": 3.5 * i + 1,
            "examples_per_s": 12.5,
        }
        lines.append(json.dumps(told) + "\n")
    (folder / "metrics.jsonl").write_text("".join(lines))
    for name in ("reconstructions", "masks"):
        for step in (1000, 2000, 3000):
            keep_small_copy(folder / "plots", name, step, picture(step + seed))
        Image.fromarray(picture(seed)).save(folder / "plots" / f"{name}.png")
    Image.fromarray(picture(seed, 700, 900)).save(folder / "tsne.png")
    (folder / "eval" / "eval_emorl_ARI_MSE_KL-1000.json").write_text(json.dumps(SCORES))
    return folder
