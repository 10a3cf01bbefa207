"""Scores of any evaluation as rows of a table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from discovery.reports.run_record import is_number

#: What every evaluation reports about itself; not scores.
_ABOUT = (
    *("snapshot", "step", "dataset", "data", "seed", "eval_type", "model", "changed_flags", "compat"),
    *("n_examples", "n_pixel_examples", "num_images", "num_objects", "refinement_iters", "slot"),
)
_MOST_NUMBERS = 12


class Score(NamedTuple):
    """A cell of the table.

    Attributes:
        text: what it shows.
        value: the number, the mean where there are several; None for lists.
    """

    text: str
    value: float | None


def score_rows(values: Mapping[str, Any]) -> dict[str, dict[str, Score]]:
    """Returns {path of the score: {column: score}}; the column is "" but for scores of several sets.

    Args:
        values: an evaluation's JSON. Nested names make paths, `unsupervised.refit.prior`; text and long
            lists are not scores.
    """
    rows: dict[str, dict[str, Score]] = {}
    _collect(rows, "", {name: value for name, value in values.items() if name not in _ABOUT})
    return rows


def score_text(value: float) -> str:
    """Formats a number for tables."""
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if 0.01 <= size < 10.0 or value == 0.0:  # accuracies and the like, in one column
        return f"{value:.4f}"
    if 10.0 <= size < 1e4:
        return f"{value:.{3 - int(math.log10(size))}f}"  # four digits, zeros too
    return f"{value:.0f}" if 1e4 <= size < 1e7 else f"{value:.4g}"


def n_examples_text(values: Mapping[str, Any]) -> str:
    """Returns how many examples of which data an evaluation's scores are for; "" where that is unknown."""
    told = values.get("n_examples", values.get("num_images"))
    if isinstance(told, dict):
        counts = ", ".join(f"{n:,} {split}" for split, n in told.items() if type(n) is int)
    else:
        counts = f"{told:,}" if type(told) is int else ""
    data = values.get("data")
    of = f" of: {data}" if isinstance(data, str) and data else ""
    return f"{counts} examples{of}" if counts else ""


def mean_text(values: Sequence[float | None]) -> str:
    """Formats the mean of several runs' scores and its standard deviation (n - 1); "" if one has none."""
    if len(values) < 2 or any(value is None for value in values):
        return ""
    return f"{score_text(statistics.fmean(values))} ± {score_text(statistics.stdev(values))}"


def _collect(rows, path, value):
    if isinstance(value, dict):
        names = set(value)
        if names == {"mean", "std"} and all(map(is_number, value.values())):
            text = f"{score_text(value['mean'])} ± {score_text(value['std'])}"
            rows[path] = {"": Score(text, value["mean"])}
        elif names and names <= {"train", "valid"} and all(map(is_number, value.values())):
            rows[path] = {name: Score(score_text(number), number) for name, number in value.items()}
        else:
            for name, inner in value.items():
                _collect(rows, f"{path}.{name}" if path else name, inner)
    elif is_number(value):
        rows[path] = {"": Score(score_text(value), value)}
    elif isinstance(value, list) and 0 < len(value) <= _MOST_NUMBERS and all(map(is_number, value)):
        rows[path] = {"": Score(", ".join(map(score_text, value)), None)}
