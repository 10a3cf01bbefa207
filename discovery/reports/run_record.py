"""Reads back a run's folder for pages about it; anything missing or damaged is left out."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from discovery import UserError
from discovery.training.run_folder import FACTS_FILE, METRICS_FILE, read_flags

#: An evaluation, its step and, where flags were changed, its mark.
_SCORES = re.compile(r"([^.]+)-(\d+)(\..+)?\.json")
#: Texts and numbers of `run.json` about the run as a whole.
_ABOUT = ("started", "host", "device", "parameters", "commit", "command")
#: Larger numbers would not leave room for the arithmetic of axes.
_LARGEST = 1e300


class Scores(NamedTuple):
    """What one evaluation wrote.

    Attributes:
        name: name of the script, and of the kind of evaluation.
        step: how many steps the snapshot was trained for.
        values: as its JSON has them.
        changed: flags that differed from the run's, as one text; empty for the run's own scores.
    """

    name: str
    step: int
    values: dict[str, Any]
    changed: str = ""


class RunRecord(NamedTuple):
    """What a run's folder records.

    Attributes:
        folder: the run's folder.
        flags: all flags of `flags.txt`.
        changed_flags: those that differ from the defaults; None where that is unknown.
        versions: by the name of the package.
        resumed_at: steps from which the run resumed after a stop.
        about: when, where and how it was started, as texts by name; what is not known is absent.
        reports: lines of `metrics.jsonl` in order of steps; finite numbers only, `step` in each.
        scores: of the newest snapshot for each kind of evaluation, as the run was trained.
        other_scores: the same where flags were changed for the evaluation.
        damaged: names of files that could not be read.
    """

    folder: Path
    flags: dict[str, str]
    changed_flags: dict[str, str] | None
    versions: dict[str, str]
    resumed_at: list[int]
    about: dict[str, str]
    reports: list[dict[str, float]]
    scores: list[Scores]
    other_scores: list[Scores]
    damaged: list[str]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    def curve(self, key: str, over: str = "step") -> list[tuple[float, float]]:
        """Returns (step, value) pairs of a metric, or over another one; empty where it was never reported."""
        return [(report[over], report[key]) for report in self.reports if key in report and over in report]


def read_run(folder: Path) -> RunRecord:
    """Reads a run's folder; never fails because of what is in it."""
    damaged: list[str] = []
    try:
        flags = read_flags(folder)
    except UserError:
        flags = {}
        damaged.append("flags.txt")
    facts = _facts(folder, damaged)
    reports, scores = _reports(folder, damaged), _scores(folder, damaged)
    own, other = ([s for s in scores if bool(s.changed) == changed] for changed in (False, True))
    return RunRecord(folder, flags, *facts, reports, own, other, damaged)


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number that can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _facts(folder, damaged):
    """Returns changed flags, versions, the steps of resumes, and texts about the run."""
    told = _json(folder / FACTS_FILE, damaged, FACTS_FILE)
    if told is None:
        return None, {}, [], {}
    changed, versions, resumed = (told.get(name) for name in ("changed_flags", "versions", "resumed_at"))
    return (
        _texts(changed) if isinstance(changed, dict) else None,
        _texts(versions) if isinstance(versions, dict) else {},
        [at for at in resumed if type(at) is int] if isinstance(resumed, list) else [],
        {name: str(told[name]) for name in _ABOUT if isinstance(told.get(name), str | int)},
    )


def _texts(pairs):
    return {str(name): str(value) for name, value in pairs.items()}


def _reports(folder, damaged):
    path = folder / METRICS_FILE
    if not path.exists():
        return []
    by_step, unread = {}, 0
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:  # one at a time, and each name once: training reads all of its reports often
                try:
                    told = json.loads(line)
                    step = told["step"]
                except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
                    unread += 1
                    continue
                if is_number(step) and step >= 0:
                    by_step[step] = {sys.intern(name): v for name, v in told.items() if is_number(v)}
    except OSError:
        by_step, unread = {}, 2
    if unread > 1:  # a killed run leaves its last line unfinished
        damaged.append(METRICS_FILE)
    return [by_step[step] for step in sorted(by_step)]


def _scores(folder, damaged):
    newest: dict[tuple[str, str], Scores] = {}
    for path in sorted((folder / "eval").glob("*.json")):
        found = _SCORES.fullmatch(path.name)
        values = _json(path, damaged, f"eval/{path.name}") if found else None
        if values is None:
            continue
        name, step, changed = found[1], int(found[2]), _changed(values) if found[3] else ""
        if (name, changed) not in newest or step > newest[name, changed].step:
            newest[name, changed] = Scores(name, step, values, changed)
    return list(newest.values())


def _changed(values):
    told = values.get("changed_flags")
    flags = told.items() if isinstance(told, dict) else ()
    return " ".join(f"--{name}={value}" for name, value in flags) or "changed flags"


def _json(path, damaged, name):
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(told, dict):
            return told
    except (OSError, RecursionError, ValueError):
        pass
    damaged.append(name)
    return None
