"""`report.html`: a run's folder as one page for people."""

from __future__ import annotations

import datetime
import shlex
from pathlib import Path

from discovery.experiments import experiments
from discovery.installation import command
from discovery.reports.html_page import (
    commands,
    details,
    facts,
    figure,
    gallery,
    heading,
    page,
    panels,
    paragraph,
    section,
    table,
)
from discovery.reports.metric_panels import is_main, metric_panel, metrics_of
from discovery.reports.picture_captions import caption
from discovery.reports.published_results import generates_its_scenes, published_results
from discovery.reports.run_record import RunRecord, read_run
from discovery.reports.score_table import n_examples_text, score_rows
from discovery.training.announcement import duration
from discovery.training.pictures_over_time import LEARNING_CURVES, copies
from discovery.training.run_folder import REPORT_FILE
from discovery.training.save_and_resume import list_snapshots
from discovery.whole_files import save_text, writing

#: Pictures shown of a folder; more would make a page that phones load slowly.
_MOST_PICTURES, _MOST_OF_EVALUATION, _MOST_GIFS = 12, 4, 3


def write_report(folder: Path) -> Path:
    """Writes a run's `report.html`; returns its path.

    Raises:
        UserError: it cannot be written.
    """
    path = folder / REPORT_FILE
    with writing(path):
        save_text(path, report_page(folder))
    return path


def report_page(folder: Path) -> str:
    """Makes the page, as HTML, of what a run's folder holds; damaged files are named, or left out."""
    run = read_run(folder)
    parts = [
        paragraph(_kind(run), "quiet"),
        *([paragraph(f"Not readable: {', '.join(run.damaged)}.", "warning")] if run.damaged else []),
        facts(_in_short(run)),
        _scores(run),
        _pictures(run),
        _learning_curves(run),
        _commands(run),
        _what_ran(run),
    ]
    return page(run.name, [part for part in parts if part])


def steps_and_time(run: RunRecord) -> list[tuple[str, str]]:
    """Returns how far a run has come and how long it took, as names and texts."""
    if not run.reports:
        return [("steps", "none reported yet")]
    last = run.reports[-1]
    saved = [int(name.rpartition("-")[2]) for name in list_snapshots(run.folder)]
    step = max(last["step"], *saved, 0)  # a run that was stopped has a snapshot after its last report
    wanted = run.flags.get("iters") or run.flags.get("max_train_steps") or ""
    of = f" of {int(wanted):,}" if wanted.isdecimal() and wanted.isascii() else ""
    told = [("steps", f"{step:,.0f}{of}")]
    if last.get("seconds", 0) > 0:
        told.append(("training time", duration(last["seconds"])))
    if last.get("examples_per_s", 0) > 0:
        told.append(("examples per second", f"{last['examples_per_s']:,.4g}"))
    return told


def _kind(run):
    model, data = run.flags.get("model"), run.flags.get("dataset")
    return f"{model} on {data}" if model and data else "A training run"


def _in_short(run):
    told = [*steps_and_time(run), ("seed", run.flags.get("seed", "not known"))]
    told += [("resumed at step", ", ".join(f"{at:,}" for at in run.resumed_at))] if run.resumed_at else []
    parameters = run.about.get("parameters", "")
    told += [("parameters", f"{int(parameters):,}")] if parameters.isdecimal() else []
    told += [("device", run.about["device"])] if "device" in run.about else []
    return told + ([("started", _moment(run.about["started"]))] if "started" in run.about else [])


def _moment(text):
    """2026-11-29T10:15:21+00:00 -> 2026-11-29 10:15 UTC; other texts stay."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".strip()


def _what_ran(run):
    told = [(name, run.about[name]) for name in ("host", "commit") if name in run.about]
    parts = [facts([*told, *run.versions.items()])]
    parts += [commands([run.about["command"]])] if "command" in run.about else []
    if run.changed_flags is None:
        parts.append(paragraph("Versions and changed flags are not known: there is no run.json.", "quiet"))
    elif run.changed_flags:
        parts.append(heading("Flags that differ from the defaults"))
        parts.append(table(("flag", "value"), ((f"--{n}", v) for n, v in run.changed_flags.items())))
    if run.flags:
        everything = table(("flag", "value"), ((f"--{name}", value) for name, value in run.flags.items()))
        parts.append(details(f"All {len(run.flags)} flags", everything))
    return section("What ran", *parts)


def _learning_curves(run):
    metrics = metrics_of([run])
    if not metrics:
        return section("Learning curves", paragraph("No metrics have been reported yet.", "quiet"))
    main = [metric for metric in metrics if is_main(metric)]
    others = [metric for metric in metrics if not is_main(metric)]
    parts = [paragraph("Over training steps, smoothed as in metrics.jsonl.", "quiet")]
    parts += [panels(metric_panel(run, metric) for metric in main)] if main else []
    if others:
        shown = panels(metric_panel(run, metric) for metric in others)
        parts.append(details(f"{len(others)} other metrics", shown) if main else shown)
    return section("Learning curves", *parts)


def _scores(run):
    published, parts, told = published_results(run.flags), [], set()
    generated = generates_its_scenes(run.flags)
    for scores in (*run.scores, *run.other_scores):
        rows = score_rows(scores.values)
        columns = list({column: None for row in rows.values() for column in row})
        lines = []
        for path, row in rows.items():
            comparable = not (scores.changed or generated)
            known = [p for p in published if p.belongs_to(path)] if comparable else []
            told.update(known)
            beside = "; ".join(f"{p.value} ({p.source})" for p in known)
            name = path.replace("_", " ").replace(".", ", ")
            lines.append([name, *(row[column].text if column in row else "" for column in columns), beside])
        if lines:
            header = ["score", *(column or "measured" for column in columns), "published"]
            if not any(line[-1] for line in lines):
                header, lines = header[:-1], [line[:-1] for line in lines]
            changed = f", with {scores.changed}" if scores.changed else ""
            counted = n_examples_text(scores.values)
            parts.append(heading(f"{scores.name}, step {scores.step:,}{changed}") + table(header, lines))
            parts += [paragraph(counted, "quiet")] if counted else []
    rest = [(p.title, p.value, p.source) for p in published if p not in told]
    if not parts:
        parts.append(paragraph("Not evaluated yet; the commands below do it.", "quiet"))
    if rest:
        of = ", for the published scenes; this run's are generated" if generated else ""
        parts.append(heading(f"Published{of}") + table(("score", "published", "by"), rest))
    elif not published:
        parts.append(paragraph("No published figure belongs to this experiment.", "quiet"))
    return section("Scores", *parts)


def _pictures(run):
    plots, over_time = run.folder / "plots", copies(run.folder / "plots")
    found = [*sorted(plots.glob("*.png")), *sorted(run.folder.glob("*.png"))]
    found = [path for path in found if path.name[0] != "." and path.is_file()]
    found = [path for path in found if path.stem != LEARNING_CURVES]
    found.sort(key=lambda path: path.stem != "reconstructions")
    shown = []
    for path in found[:_MOST_PICTURES]:
        earlier = over_time.get(path.stem, {}) if path.parent == plots else {}
        strip = "".join(figure(small, f"step {step:,}") for step, small in earlier.items())
        more = f'<div class="strip">{strip}</div>' if len(earlier) > 1 else ""
        newest = f", step {max(earlier):,}" if earlier else ""
        shown.append(figure(path, _described(path, newest), more))
    found = _of_evaluation(run.folder)
    pictures, gifs = ([path for path in found if path.suffix == kind] for kind in (".png", ".gif"))
    # the few traversals come before the many pictures of scenes
    pictures.sort(key=lambda path: "traversal" not in path.stem)
    for path in [*pictures[:_MOST_OF_EVALUATION], *gifs[:_MOST_GIFS]]:
        shown.append(figure(path, _described(path, f", {path.relative_to(run.folder / 'eval').parts[0]}")))
    return section("Pictures", gallery(shown)) if shown else ""


def _described(path, where):
    """Returns a picture's caption: its name, its place, and what it shows."""
    told = caption(path.name)
    return f"{path.stem.replace('_', ' ')}{where}" + (f". {told}" if told else "")


def _of_evaluation(folder):
    """Returns the pictures of the newest snapshot that was evaluated with some, as it was trained."""
    by_step = {}
    files = (folder / "eval").glob("model.ckpt-*/**/*")
    for path in sorted(path for path in files if path.suffix in (".png", ".gif")):
        step = path.relative_to(folder / "eval").parts[0].rpartition("-")[2]
        if step.isdecimal() and path.is_file():
            by_step.setdefault(int(step), []).append(path)
    return by_step[max(by_step)] if by_step else []


def _commands(run):
    kind = experiments().get(run.flags.get("model", ""))
    if kind is None:
        return ""
    folder = str(run.folder)
    return section(
        "Continue and evaluate",
        paragraph("In a new shell, in the folder of this repository, first:"),
        commands(["source setup_virtualenv.sh"]),
        paragraph("Resumes from the newest snapshot; give a larger number of steps to train for longer:"),
        commands([f"{command(kind.script)} --flagfile={shlex.quote(f'{folder}/flags.txt')}"]),
        paragraph("Scores the newest snapshot, and updates this page:"),
        commands([f"{command(name)} --snapshot={shlex.quote(folder)}" for name in kind.evaluations]),
        paragraph("All pictures and curves, step by step:"),
        commands([f"tensorboard --logdir={shlex.quote(folder)}"]),
    )
