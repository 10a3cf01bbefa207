"""Several runs on one page: curves on common axes, flags that differ, last metrics, scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from discovery import UserError
from discovery.flag_files import FLAGS_FILE
from discovery.reports.html_page import details, page, panels, paragraph, section, table
from discovery.reports.learning_curves_svg import learning_curves_file
from discovery.reports.metric_panels import (
    comparison_curves,
    comparison_panel,
    is_main,
    last_value,
    metrics_of,
)
from discovery.reports.report_page import steps_and_time
from discovery.reports.run_record import RunRecord, read_run
from discovery.reports.score_table import Score, mean_text, score_rows, score_text
from discovery.training.run_folder import METRICS_FILE

#: Flags that differ between any two runs.
_NAMES = ("name", "logdir", "run_suffix", "out_dir")

_MEAN = "mean ± deviation"

Runs = list[tuple[str, RunRecord]]


def read_runs(folders: Sequence[Path]) -> Runs:
    """Reads runs' folders, and names each by its folder, or by its path below the folder that holds them all.

    Raises:
        UserError: there are fewer than two, one is given twice, or one is not a run's folder.
    """
    if len(folders) < 2:
        raise UserError("give the folders of two or more runs: python -m scripts.compare_runs DIR DIR ...")
    places = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if not ((place / FLAGS_FILE).exists() or (place / METRICS_FILE).exists()):
            raise UserError(f"{folder} is not a run's folder: it has neither {FLAGS_FILE} nor {METRICS_FILE}")
        if places.count(place) > 1:
            raise UserError(f"{folder} is given twice: give each run once")
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        common = os.path.commonpath([place.parent for place in places])
        names = [str(place.relative_to(common)) for place in places]
    return [(name, read_run(folder)) for name, folder in zip(names, folders, strict=True)]


def comparison_picture(runs: Runs, metric: str, over: str) -> str:
    """Draws one metric of all runs, as an SVG file.

    Args:
        runs: of `read_runs`.
        metric: as on the page.
        over: "steps" or "minutes".

    Raises:
        UserError: no run has this metric.
    """
    reported, unit = {"steps": ("step", 1), "minutes": ("seconds", 60)}[over]
    curves = [
        curve._replace(points=[(x / unit, value) for x, value in curve.points])
        for curve in comparison_curves(runs, metric, reported)
    ]
    if not curves:
        known = ", ".join(sorted({key for _, run in runs for report in run.reports for key in report}))
        raise UserError(f"no run has reported {metric}; there are {known or 'no reports yet'}")
    return learning_curves_file(metric, over, curves)


def comparison_page(runs: Runs) -> str:
    """Makes the page, as HTML."""
    damaged = [f"{name}: {', '.join(run.damaged)}" for name, run in runs if run.damaged]
    parts = [paragraph(f"Not readable: {'; '.join(damaged)}.", "warning")] if damaged else []
    parts += [_curves(runs), _scores(runs), _last_metrics(runs), _what_ran(runs)]
    return page(f"{len(runs)} runs", [part for part in parts if part])


def _what_ran(runs):
    told = [dict(steps_and_time(run)) for _, run in runs]
    lines = [
        (fact, *(of.get(fact, "") for of in told)) for fact in dict.fromkeys(f for of in told for f in of)
    ]
    every = dict.fromkeys(flag for _, run in runs for flag in run.flags)
    differing = []
    for flag in every:
        values = [run.flags.get(flag, "not recorded") for _, run in runs]
        if flag not in _NAMES and len(set(values)) > 1:
            differing.append((f"--{flag}", *values))
    none = paragraph("No flags differ except names.", "quiet")
    flags_table = table(_header("flag", runs), differing) if differing else none
    return section("What ran", table(_header("", runs), lines)) + section("Flags that differ", flags_table)


def _curves(runs):
    metrics = metrics_of(run for _, run in runs)
    drawn = {metric: comparison_panel(runs, metric) for metric in metrics}
    main = [panel for metric, panel in drawn.items() if panel and is_main(metric)]
    others = [panel for metric, panel in drawn.items() if panel and not is_main(metric)]
    if not main and not others:
        return section("Learning curves", paragraph("No metrics have been reported yet.", "quiet"))
    more = [details(f"{len(others)} other metrics", panels(others))] if others else []
    return section("Learning curves", panels(main), *more)


def _last_metrics(runs):
    rows = []
    for metric in metrics_of(run for _, run in runs):
        if is_main(metric):
            values = [last_value(run, metric) for _, run in runs]
            texts = ["" if value is None else score_text(value) for value in values]
            rows.append((metric, *texts, mean_text(values)))
    return section("Last reports", table(_header("metric", runs, _MEAN), rows)) if rows else ""


def _scores(runs):
    parts = []
    for evaluation in dict.fromkeys(scores.name for _, run in runs for scores in run.scores):
        found = [next((s for s in run.scores if s.name == evaluation), None) for _, run in runs]
        of_runs = [score_rows(scores.values) if scores else {} for scores in found]
        rows = [("step", *(f"{scores.step:,}" if scores else "" for scores in found), "")]
        for path, column in dict.fromkeys((p, c) for of in of_runs for p, row in of.items() for c in row):
            name = ", ".join([*path.replace("_", " ").split("."), *([column] if column else [])])
            scores = [of.get(path, {}).get(column, Score("", None)) for of in of_runs]
            mean = mean_text([score.value for score in scores])
            rows.append((name, *(score.text for score in scores), mean))
        parts.append(section(f"Scores of {evaluation}", table(_header("score", runs, _MEAN), rows)))
    return "".join(parts)


def _header(first, runs, *last):
    return (first, *(name for name, _ in runs), *last)
