"""What the evaluation scripts share: the snapshot that is scored, flags of its run, where scores go."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import flags

from discovery import UserError
from discovery.flag_files import FLAGS_FILE
from discovery.pretrained import is_pretrained

from .help_text import topic
from .path_flags import completed, define_path
from .training_flags import as_text

if TYPE_CHECKING:
    from discovery import DataSource, TrainableModel

FLAGS = flags.FLAGS

#: Flags that say where things are and what is done, not what is scored.
_NO_CHANGE = (
    "snapshot",
    "json",
    "results",
    "eval_type",
    "tsne_figure_name",
    "disentangle_slot",
    "flagfile",
    "batch_size",
)
#: Data that are the same wherever they are.
_SAME_ANYWHERE = ("mnist", "svhn", "cifar10")
_LONGEST_NAME = 80


class EvaluatedRun(NamedTuple):
    """A model that is scored.

    Attributes:
        folder: folder of its run.
        results: folder for what evaluation writes.
        snapshot: prefix of its files.
        step: how many steps it was trained for.
        model: with the snapshot's weights.
        data: data of its run.
        changed: flags that make it score something other than the run as it was trained, by name.
    """

    folder: Path
    results: Path
    snapshot: str
    step: int
    model: TrainableModel
    data: DataSource
    changed: dict[str, str]


def define_flags() -> None:
    """Defines what all evaluations need, besides the flags of models and data."""
    topic("Evaluation")
    define_path("snapshot", "", "Prefix of a snapshot, or a run's folder for its newest one.")
    define_path("json", None, "Where to write the scores, beside the run's eval folder.")
    define_path(
        "results",
        None,
        "Folder for all that is written; by default the run's, or checkpoints/pretrained/NAME for pretrained "
        "weights.",
    )
    flags.DEFINE_integer("seed", 0, "Seed of all that evaluation draws.")


def check() -> None:
    """Raises a UserError where no snapshot is named."""
    if not FLAGS.snapshot:
        raise UserError("--snapshot is missing: give the prefix of a snapshot, or a run's folder")


def open_run(
    models: tuple[str, ...],
    make_model: Callable[[], TrainableModel],
    load_data: Callable[[], DataSource],
) -> EvaluatedRun:
    """Reads flags, data and model of the snapshot that `--snapshot` names.

    Args:
        models: allowed values of `--model`.
        make_model: builds the model that the flags describe.
        load_data: opens the data that the flags describe.

    Raises:
        UserError: there is no such snapshot, its model or architecture is another, or there are no data.
    """
    from discovery.snapshots import find_snapshot, restore_model

    snapshot = find_snapshot(FLAGS.snapshot)
    folder = Path(snapshot).parent
    changed = adopt_saved_flags(folder)
    if FLAGS.model not in models:
        raise UserError(
            f"--model={FLAGS.model}: this script scores {', '.join(models)} models, but {folder} has another"
        )
    model = make_model()
    step = restore_model(snapshot, model)
    data = load_data()
    if changed:
        given = " ".join(f"--{name}={value}" for name, value in changed.items())
        print(f"note: scored with {given}, apart from the run's own scores")
    return EvaluatedRun(folder, results_folder(folder), snapshot, step, model, data, changed)


def results_folder(folder: Path) -> Path:
    """Returns where evaluation writes: `--results`, or the run's folder where it is not a pretrained one."""
    if FLAGS.results:
        return Path(FLAGS.results)
    return Path("checkpoints", "pretrained", folder.resolve().name) if is_pretrained(folder) else folder


def adopt_saved_flags(folder: Path) -> dict[str, str]:
    """Sets each flag that was not given by hand to what the run's `flags.txt` says.

    Flags that only training has are ignored.

    Returns:
        the flags given by hand that differ from the run's or, where it has none, from the defaults.

    Raises:
        UserError: a saved value is invalid for its flag.
    """
    from discovery.training.run_folder import read_flags

    saved, texts, changed = read_flags(folder), as_text(), {}
    for name in FLAGS:
        flag, as_trained = FLAGS[name], saved.get(name)
        try:
            if flag.present:
                trained = flag.default if as_trained is None else flag.parser.parse(as_trained)
                if (
                    flag.value != completed(name, trained)
                    and name in texts
                    and not _only_says_where(name, trained)
                ):
                    changed[name] = texts[name]
            elif as_trained is not None:
                flag.parse(as_trained)
        except (ValueError, flags.Error) as error:
            raise UserError(f"{folder / FLAGS_FILE}: {error}; fix it or give --{name}") from None
    return changed


def same_data(dataset: str, *places: str | None) -> bool:
    """Whether a data set is the same at all places: downloads are, but not an .npz file of one's own."""
    files = {Path(place).name for place in places if place and place.endswith(".npz")}
    return dataset in _SAME_ANYWHERE and files <= {"mnist.npz"}


def _only_says_where(name, trained):
    moved = name == "data_dir" and same_data(FLAGS.dataset, FLAGS.data_dir, trained)
    return moved or name in _NO_CHANGE


def mark(changed: Mapping[str, str]) -> str:
    """Returns what marks the files of an evaluation with changed flags; "" where none is changed.

    >>> mark({"K": "6", "data_path": "/a/b.h5"})
    '.K=6.data_path=_a_b.h5'
    """
    text = "".join(f".{name}={re.sub(r'[^A-Za-z0-9_.,+-]', '_', value)}" for name, value in changed.items())
    if len(text) <= _LONGEST_NAME:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: _LONGEST_NAME - len(digest) - 1]}-{digest}"


def write_scores(run: EvaluatedRun, script: str, scores: dict[str, Any]) -> list[Path]:
    """Writes scores as JSON into the folder for results and to `--json`, if given; updates the run's report.

    Returns:
        the files' paths.

    Raises:
        UserError: a file cannot be written.
    """
    from discovery.reports.report_page import write_report

    about = {"snapshot": run.snapshot, "step": run.step, "dataset": FLAGS.dataset, "seed": FLAGS.seed}
    about |= {"data": run.data.sets.get("valid", ""), "changed_flags": run.changed}
    text = json.dumps(about | scores, indent=2) + "\n"
    name = f"{script}-{run.step}{mark(run.changed)}.json"
    paths = [run.results / "eval" / name, *([Path(FLAGS.json)] if FLAGS.json else [])]
    for path in reversed(paths):  # the path that was asked for comes first
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.tmp")
            unfinished.write_text(text, encoding="utf-8")
            os.replace(unfinished, path)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}; choose another place") from None
    if run.results.resolve() == run.folder.resolve():  # only a run has a report
        write_report(run.folder)
    return paths
