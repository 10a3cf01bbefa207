"""Learning curves of a run, from its `metrics.jsonl`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stacked_capsules.plots.figure import new_figure, rendered

SPLITS = ("train", "valid")
MAX_COLUMNS = 4


def learning_curves_plot(metrics_file: Path) -> np.ndarray | None:
    """Draws each metric over steps, training and validation in one panel; counts per capsule are left out.

    Args:
        metrics_file: one report per line, {"step": ..., "train/<metric>": ..., "valid/<metric>": ...}.

    Returns:
        uint8 [height, width, 3]; None if there is nothing to draw yet.
    """
    reports = read_reports(metrics_file)
    keys = dict.fromkeys(key for report in reports for key in report)
    metrics = list(
        dict.fromkeys(key.split("/", 1)[1] for key in keys if key.startswith(("train/", "valid/")))
    )
    metrics = [metric for metric in metrics if not metric.startswith("votes_per_capsule")]
    metrics.sort(key=lambda metric: metric != "loss")  # the loss comes first
    if not metrics:
        return None
    n_columns = min(MAX_COLUMNS, len(metrics))
    n_rows = math.ceil(len(metrics) / n_columns)
    figure = new_figure(3.4 * n_columns, 2.4 * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, metric in zip(panels, metrics, strict=False):
        for split in SPLITS:
            steps, values = curve(reports, f"{split}/{metric}")
            axes.plot(steps, values, label=split, marker="." if len(steps) < 3 else None, linewidth=1.2)
        axes.set_title(metric, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
    for axes in panels[len(metrics) :]:
        axes.set_axis_off()
    figure.axes[0].legend(fontsize=8)
    figure.supxlabel("step", fontsize=9)
    return rendered(figure)


def read_reports(metrics_file: Path) -> list[dict[str, Any]]:
    """Returns the reports in order of steps, none if there is no file.

    A line that a killed run left unfinished is skipped.
    """
    if not metrics_file.exists():
        return []
    reports = []
    for line in metrics_file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            reports.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return sorted((report for report in reports if "step" in report), key=lambda report: report["step"])


def curve(reports: Sequence[dict[str, Any]], key: str) -> tuple[list[int], list[float]]:
    """Returns the steps at which a metric was reported, and its values."""
    points = [(report["step"], report[key]) for report in reports if report.get(key) is not None]
    return [step for step, _ in points], [value for _, value in points]
