"""What the evaluation scripts share: the snapshot that is scored, flags of its run, where scores go."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from protocols import DataSource, TrainableModel, UserError
from protocols.flag_files import FLAGS_FILE
from protocols.pretrained import is_pretrained
from protocols.snapshots import find_snapshot, restore_model
from training.report_page import write_report
from training.run_folder import read_flags

FLAGS = flags.FLAGS


class EvaluatedRun(NamedTuple):
    """A model that is scored.

    Attributes:
        folder: of its run.
        results: folder for what evaluation writes.
        snapshot: prefix of its files.
        step: how many steps it was trained for.
        model: with the snapshot's weights.
        data: of its run.
    """

    folder: Path
    results: Path
    snapshot: str
    step: int
    model: TrainableModel
    data: DataSource


def define_flags() -> None:
    """Defines what all evaluations need, beside the flags of models and data."""
    flags.DEFINE_string("snapshot", "", "Prefix of a snapshot, or a run's folder for its newest one.")
    flags.DEFINE_string("json", None, "Where to write the scores, beside the run's eval folder.")
    flags.DEFINE_string(
        "results",
        None,
        "Folder for all that is written; by default the run's, or checkpoints/pretrained/NAME for pretrained "
        "weights.",
    )
    flags.DEFINE_integer("seed", 0, "Seed of all that evaluation draws.")


def open_run(
    models: tuple[str, ...],
    make_model: Callable[[], TrainableModel],
    load_data: Callable[[], DataSource],
) -> EvaluatedRun:
    """Reads flags, data and model of the snapshot that `--snapshot` names.

    Args:
        models: what `--model` may be.
        make_model: builds the model that the flags describe.
        load_data: opens the data that the flags describe.

    Raises:
        UserError: there is no such snapshot, or it is of another kind of model or architecture; or no data.
    """
    if not FLAGS.snapshot:
        raise UserError("--snapshot is missing: give the prefix of a snapshot, or a run's folder")
    snapshot = find_snapshot(FLAGS.snapshot)
    folder = Path(snapshot).parent
    adopt_saved_flags(folder)
    if FLAGS.model not in models:
        raise UserError(
            f"--model={FLAGS.model}: this script scores {' and '.join(models)} models, "
            f"and {folder} is of another"
        )
    model = make_model()
    step = restore_model(snapshot, model)
    data = load_data()
    if data.about:
        print(data.about)
    return EvaluatedRun(folder, results_folder(folder), snapshot, step, model, data)


def results_folder(folder: Path) -> Path:
    """Returns where evaluation writes: `--results`, or the run's folder where it is no pretrained one."""
    if FLAGS.results:
        return Path(FLAGS.results)
    return Path("checkpoints", "pretrained", folder.resolve().name) if is_pretrained(folder) else folder


def adopt_saved_flags(folder: Path) -> None:
    """Sets each flag that was not given by hand to what the run's `flags.txt` says.

    Flags that only training has are passed over.

    Raises:
        UserError: a saved value is not one that its flag can have.
    """
    for name, value in read_flags(folder).items():
        if name in FLAGS and not FLAGS[name].present:
            try:
                FLAGS[name].parse(value)
            except flags.Error as error:
                raise UserError(f"{folder / FLAGS_FILE}: {error}; mend it or give --{name}") from None


def write_scores(run: EvaluatedRun, script: str, scores: dict[str, Any]) -> list[Path]:
    """Writes scores as JSON into the folder for results and to `--json`, if given; updates the run's report.

    Returns:
        the files' paths.

    Raises:
        UserError: a file cannot be written.
    """
    about = {"snapshot": run.snapshot, "step": run.step, "dataset": FLAGS.dataset, "seed": FLAGS.seed}
    text = json.dumps(about | scores, indent=2) + "\n"
    paths = [run.results / "eval" / f"{script}-{run.step}.json", *([Path(FLAGS.json)] if FLAGS.json else [])]
    for path in reversed(paths):  # what was asked for comes first
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
