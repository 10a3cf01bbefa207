"""Makes pretrained weights of a run: a folder of pretrained/, which load_pretrained and evaluations read.

    python -m scripts.make_pretrained --snapshot=checkpoints/digits --out=pretrained/digits \
        --scores=checkpoints/digits/eval/eval_mnist-6500.json --seconds=564 \
        --picture=checkpoints/digits/tsne.png --command="./run.sh"

The snapshot is a run's folder, for its newest one, or a prefix. --out gets
    model.ckpt-STEP.*, checkpoint   the weights alone, without the optimizer's slots and averages of reports
    flags.txt                       the run's, with --name of --out and without paths
    scores.json                     what discovery/pretrained.py describes
    picture.png                     a copy of --picture
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from discovery import UserError
from discovery.flag_files import FLAGS_FILE, read_flag_file
from discovery.pretrained import SCORES_FILE, neutral_flags, score_at

from . import entry_point
from .path_flags import define_path, expanded

FLAGS = flags.FLAGS

define_path("snapshot", "", "Prefix of a snapshot, or a run's folder for its newest one.")
define_path("out", "", "Folder that is made; its name is that of the weights.")
flags.DEFINE_multi_string("scores", [], "JSON that an evaluation of the snapshot wrote; may be repeated.")
flags.DEFINE_string("score", "", "Path of the score that tests measure again; by default the main one.")
flags.DEFINE_float("seconds", 0.0, "How long the training took.", lower_bound=0.0)
define_path("picture", "", "A PNG file that shows what the model does.")
flags.DEFINE_string("command", "", "The command that trained it.")
flags.DEFINE_string("machine", "", "What it was trained on; by default this machine's cores.")

_REQUIRED = ("snapshot", "out", "scores", "seconds", "picture", "command")

#: Everyone who clones a repository downloads its weights.
MOST_BYTES = 16_000_000

#: --model -> path of its main score.
MAIN_SCORES = {
    "scae": "unsupervised.transfer.prior.valid",
    "constellation": "segmentation_accuracy",
    **dict.fromkeys(("EfficientMORL", "SlotAttention"), "ARI.mean"),
    "VAE": "MSE.mean",
}

#: How PNG files begin.
_PNG = b"\x89PNG\r\n\x1a\n"

#: Entries of scores that are paths, or name some.
_WRITTEN = ("snapshot", "data", "tsne_picture", "pictures", "gifs")


def main(_) -> None:
    """Loads the model, writes its weights and what is known about them, and moves the folder into place."""
    import numpy as np

    from discovery.models_by_name import load_run, package_of_run
    from discovery.snapshots import GLOBAL_STEP, find_snapshot, read_snapshot
    from discovery.training.run_facts import current_commit
    from discovery.training.run_folder import write_flags
    from discovery.training.save_and_resume import write_snapshot

    for name in _REQUIRED:
        if not FLAGS[name].value:
            raise UserError(f"--{name} is missing: {FLAGS[name].help}")
    prefix, out, picture = find_snapshot(FLAGS.snapshot), Path(FLAGS.out), Path(FLAGS.picture)
    if not re.fullmatch(r"\w+", out.name):
        raise UserError(f"--out={out}: name the folder with letters, digits and underscores")
    if out.exists():
        raise UserError(f"{out} is there already: choose another --out, or delete it")
    if not picture.is_file() or not picture.read_bytes().startswith(_PNG):
        raise UserError(f"--picture={picture}: there is no such file, or it is not a PNG file")
    run = Path(prefix).parent
    model = load_run(package_of_run(run), prefix)
    weights = {weight.path: np.asarray(weight.value) for weight in model.weights}
    step = int(read_snapshot(prefix)[GLOBAL_STEP])
    run_flags = neutral_flags(read_flag_file(run / FLAGS_FILE), out.name)
    scores = read_scores([Path(expanded(path)) for path in FLAGS.scores], step)
    told = {
        "name": out.name,
        "score": main_score(scores, FLAGS.score or MAIN_SCORES[run_flags["model"]]),
        "scores": scores,
        "data": run_flags.get("dataset"),
        "seed": int(run_flags.get("seed", 0)),
        "step": step,
        "commit": current_commit(),
        "hours": round(FLAGS.seconds / 3600, 2),
        "machine": FLAGS.machine or f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "command": FLAGS.command,
    }
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".unfinished-") as unfinished:
            folder = Path(unfinished, out.name)
            folder.mkdir()
            write_snapshot(folder, step, {**weights, GLOBAL_STEP: np.int64(step)})
            n_bytes = sum(path.stat().st_size for path in folder.iterdir())
            if n_bytes > MOST_BYTES:
                raise UserError(
                    f"the weights of {prefix} take {n_bytes / 1e6:.1f} MB, more than the "
                    f"{MOST_BYTES / 1e6:.0f} MB that pretrained/ may have for one model; train a smaller one"
                )
            write_flags(folder, run_flags)
            (folder / SCORES_FILE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
            shutil.copyfile(picture, folder / "picture.png")
            folder.rename(out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}; choose another --out") from None
    print(f"{out}: {len(weights)} weights of {prefix}, {n_bytes / 1e6:.1f} MB")
    print(f"{told['score']['name']}: {told['score']['value']:.4f}")
    print(f"load it: {package_of_run(run)}.load_pretrained({out.name!r})")


def read_scores(paths: list[Path], step: int) -> dict[str, dict[str, Any]]:
    """Returns what evaluations wrote, without paths, by the names of their files without the step.

    Raises:
        UserError: a file cannot be read, belongs to another step, or has the name of another file.
    """
    scores = {}
    for path in paths:
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            step_there = told["step"]
        except (OSError, ValueError, TypeError, LookupError):
            raise UserError(f"--scores={path}: it is not a JSON file that an evaluation wrote") from None
        if step_there != step:
            raise UserError(f"--scores={path}: of step {step_there}, but the snapshot is of step {step}")
        name = path.stem.removesuffix(f"-{step}")
        if name in scores:
            raise UserError(f"--scores={path}: there is another {name} among them; give one")
        scores[name] = {entry: value for entry, value in told.items() if entry not in _WRITTEN}
    return scores


def main_score(scores: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Finds the score that tests measure again.

    Args:
        scores: evaluation -> its scores.
        name: path of the score, its parts separated by dots.

    Raises:
        UserError: no evaluation gave it.
    """
    for evaluation, values in scores.items():
        value = score_at(values, name)
        if isinstance(value, float):
            return {"evaluation": evaluation, "name": name, "value": value}
    raise UserError(f"no file of --scores holds the number {name}: give the one that does, or --score")


if __name__ == "__main__":
    entry_point.run(main)
