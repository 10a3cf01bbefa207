"""The metrics of `metrics.jsonl` as panels of learning curves."""

from __future__ import annotations

import re
from collections.abc import Iterable

from discovery.reports.html_page import panel
from discovery.reports.learning_curves_svg import Curve, learning_curves_svg
from discovery.reports.run_record import RunRecord
from discovery.reports.score_table import score_text

#: Dark enough for text on white, and distinct for the color-blind (blue and orange differ for all).
COLORS = ("#0b5cad", "#b04a00", "#1b7340", "#8a2f8f", "#5b5f00", "#a3123a", "#006d77", "#5a4636")
SPLITS = {"train": COLORS[0], "valid": COLORS[1]}

_MAIN = re.compile(r"loss|mse|nll|kl|rec_ll|log_prob|.*_acc|.*ari", re.IGNORECASE)
_NUMBERED = re.compile(r"(.+)_\d+")
_MOST_LINES = 64
#: In each report, but not metrics.
_TIMES = ("step", "seconds")


def metrics_of(runs: Iterable[RunRecord]) -> list[str]:
    """Returns metrics without their split, the loss first; numbered ones under the name they share."""
    keys = {key: None for run in runs for report in run.reports for key in report if key not in _TIMES}
    names = dict.fromkeys(_family(_split(key)[1]) for key in keys)
    return sorted(names, key=lambda name: (name != "loss", not is_main(name)))


def is_main(metric: str) -> bool:
    """Whether a metric says how good the model is, rather than how it gets there."""
    return _MAIN.fullmatch(metric) is not None


def metric_panel(run: RunRecord, metric: str) -> str:
    """Shows one metric of one run, for training and validation; as HTML."""
    keys = [key for key in _keys(run) if _family(_split(key)[1]) == metric]
    if metric not in {_split(key)[1] for key in keys}:  # one for each capsule, say: many lines, one split
        keys = [key for key in keys if key.startswith("valid/")] or keys
        curves = [Curve(key, SPLITS["valid"], run.curve(key), width=0.8) for key in keys[:_MOST_LINES]]
        key = [(f"{len(keys)} of them, {_split(keys[0])[0] or 'run'}", SPLITS["valid"])]
        return panel(metric, key, learning_curves_svg(metric, curves))
    curves = [
        Curve(_split(key)[0], SPLITS.get(_split(key)[0], COLORS[0]), run.curve(key))
        for key in keys
        if _split(key)[1] == metric
    ]
    key = [(f"{curve.label} {score_text(curve.points[-1][1])}".strip(), curve.color) for curve in curves]
    return panel(metric, key, learning_curves_svg(metric, curves))


def comparison_panel(runs: list[tuple[str, RunRecord]], metric: str) -> str:
    """Shows one metric of several named runs, for validation where they have it; as HTML."""
    curves = comparison_curves(runs, metric)
    if not curves:
        return ""
    key = [(f"{curve.label} {score_text(curve.points[-1][1])}", curve.color) for curve in curves]
    return panel(metric, key, learning_curves_svg(metric, curves))


def comparison_curves(runs: Iterable[tuple[str, RunRecord]], metric: str, over: str = "step") -> list[Curve]:
    """Returns one metric of named runs, for validation where they have it, over steps or another metric.

    A run's place determines its color and dashes.
    """
    curves = []
    for place, (name, run) in enumerate(runs):
        points = next((p for key in _spellings(metric) if (p := run.curve(key, over))), [])
        if points:
            color, dashed = COLORS[place % len(COLORS)], place // len(COLORS) % 2 == 1
            curves.append(Curve(name, color, points, dashed=dashed))
    return curves


def last_value(run: RunRecord, metric: str) -> float | None:
    """Returns the last value of a metric, for validation where there is one."""
    points = next((p for p in map(run.curve, _spellings(metric)) if p), None)
    return points[-1][1] if points else None


def _keys(run):
    return list({key: None for report in run.reports for key in report if key not in _TIMES})


def _split(key):
    """valid/loss -> (valid, loss); lr -> ("", lr)."""
    split, slash, name = key.partition("/")
    return (split, name) if slash and split in SPLITS else ("", key)


def _family(name):
    found = _NUMBERED.fullmatch(name)
    return f"{found[1]}_…" if found else name


def _spellings(metric):
    return (f"valid/{metric}", f"train/{metric}", metric)
