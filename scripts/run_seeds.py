"""Trains and scores one experiment with several seeds, and writes mean and deviation over them.

    python -m scripts.run_seeds --n_seeds=3 --out=checkpoints/digits_seeds -- ./run.sh --max_train_steps=2000

The command after `--` trains: a run_*.sh script, or python -m scripts.train with its flags. It runs once per
seed, one after the other, with --seed, --name and --logdir added; the same command again resumes. --out gets
    seed_0, seed_1, ...   the runs' folders, each with its scores in eval/
    seeds.json            evaluation -> score -> mean, deviation (n - 1) and the value of each seed
    seeds.html            the runs side by side, as scripts.compare_runs shows them
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery import UserError
from discovery.experiments import experiment

from . import entry_point
from .path_flags import define_path, escaped

if TYPE_CHECKING:
    from discovery.reports.run_record import RunRecord

FLAGS = flags.FLAGS

flags.DEFINE_integer("n_seeds", 3, "Number of seeds.", lower_bound=2)
flags.DEFINE_integer("first_seed", 0, "The smallest of them.")
define_path("out", "", "Folder of the runs, and of what is written about them.")

#: Flags that each run is given; the command may not set them.
_OWN = ("seed", "name", "logdir", "out_dir", "run_suffix")


def main(arguments: Sequence[str]) -> None:
    """Trains, scores and reports."""
    from discovery.reports.comparison_page import comparison_page, read_runs
    from discovery.training.run_folder import read_flags
    from discovery.whole_files import save_text, writing

    command = list(arguments[1:])
    check(command)
    out = Path(FLAGS.out).resolve()
    folders = []
    for seed in range(FLAGS.first_seed, FLAGS.first_seed + FLAGS.n_seeds):
        name = f"seed_{seed}"
        run([*command, f"--seed={seed}", f"--name={name}", f"--logdir={escaped(str(out))}/{{name}}"], seed)
        if not scored(out / name):
            script = evaluation_of(out / name)
            run([sys.executable, "-m", f"{__package__}.{script}", f"--snapshot={out / name}"], seed)
        folders.append(out / name)
    runs = read_runs(folders)
    scores = over_seeds([record for _, record in runs])
    told = {"command": command, "seeds": [read_flags(f).get("seed") for f in folders], "scores": scores}
    for path, text in (
        (out / "seeds.json", json.dumps(told, indent=2) + "\n"),
        (out / "seeds.html", comparison_page(runs)),
    ):
        with writing(path):
            save_text(path, text)
    for evaluation, values in scores.items():
        print(f"{evaluation}, {FLAGS.n_seeds} seeds, mean ± deviation:")
        for score, of in values.items():
            print(f"  {score:40} {of['mean']:.4f} ± {of['deviation']:.4f}")
    print(f"{out / 'seeds.json'}, {out / 'seeds.html'}")


def check(command: Sequence[str]) -> None:
    """Raises a UserError for flags that are wrong, before anything takes time."""
    if not command:
        raise UserError("give a training command after --: ... --out=DIR -- ./run.sh --batch_size=32")
    if not FLAGS.out:
        raise UserError(f"--out is missing: {FLAGS['out'].help}")
    for argument in command:
        if argument.startswith("-") and argument.lstrip("-").split("=")[0] in _OWN:
            raise UserError(f"{argument}: leave it out of the command; each seed's run gets its own")


def run(command: Sequence[str], seed: int) -> None:
    """Runs a command to its end.

    Raises:
        UserError: it cannot be run, or fails.
    """
    # So that python -m works in the command as it does here, from any folder.
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    try:
        code = subprocess.run(command, env=environment, check=False).returncode
    except OSError as error:
        raise UserError(f"cannot run {command[0]}: {error.strerror or error}") from None
    if code:
        raise UserError(f"seed {seed}: {' '.join(command)} ended with exit code {code}; see above")


def scored(folder: Path) -> bool:
    """Whether the newest snapshot of a run has scores already, as ./run.sh leaves it."""
    from discovery.snapshots import find_snapshot

    step = find_snapshot(folder).rpartition("-")[2]
    return any((folder / "eval").glob(f"*-{step}.json"))


def evaluation_of(folder: Path) -> str:
    """Returns the module that scores a run's kind of model.

    Raises:
        UserError: there is none.
    """
    from discovery.training.run_folder import read_flags

    return experiment(read_flags(folder).get("model", "")).evaluations[0]


def over_seeds(runs: Sequence[RunRecord]) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns evaluation -> score -> mean, deviation and the values, of scores that all runs have."""
    from discovery.reports.score_table import score_rows

    found: dict[str, dict[str, dict[str, Any]]] = {}
    for evaluation in dict.fromkeys(scores.name for run in runs for scores in run.scores):
        rows = [score_rows(s.values) for run in runs for s in run.scores if s.name == evaluation]
        for path, column in ((path, column) for path, row in rows[0].items() for column in row):
            values = [row[path][column].value for row in rows if column in row.get(path, {})]
            if len(values) == len(runs) and None not in values:
                about = {"mean": statistics.fmean(values), "deviation": statistics.stdev(values)}
                name = ".".join(filter(None, (path, column)))
                found.setdefault(evaluation, {})[name] = {**about, "values": values}
    return found


if __name__ == "__main__":
    entry_point.run(main, takes_arguments=True)
