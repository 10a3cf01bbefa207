"""One experiment with several seeds."""

import json
import statistics
import sys

import pytest

import stacked_capsules
from stacked_capsules.configuration import ConstellationConfig
from tests.written_runs import write_run

SCRIPT = "scripts.run_seeds"


#: Stands in for a training: the run of a finished one, as the seed's own; seed 4 is scored already.
TRAINING = """
import json, pathlib, shutil, sys
flags = dict(flag.removeprefix("--").split("=", 1) for flag in sys.argv[2:])
folder = pathlib.Path(flags["logdir"].format(name=flags["name"]))
shutil.copytree(sys.argv[1], folder, dirs_exist_ok=True)
saved = (folder / "flags.txt").read_text()
(folder / "flags.txt").write_text(saved + f"--seed={flags['seed']}\\n")
if flags["seed"] == "4":
    (folder / "eval").mkdir(exist_ok=True)
    (folder / "eval/eval_constellation-2.json").write_text(json.dumps({"segmentation_accuracy": 0.25}))
sys.exit(int(flags.get("fail", 0)))
"""


@pytest.mark.slow
def test_two_seeds(processes, tmp_path):
    saved = {"dataset": "constellation", "n_examples": "40", "batch_size": "8"}
    model = stacked_capsules.build("constellation")
    write_run(tmp_path / "trained", "constellation", ConstellationConfig(), model, step=2, **saved)
    (tmp_path / "train.py").write_text(TRAINING)
    training = (sys.executable, tmp_path / "train.py", tmp_path / "trained")
    flags = ("--n_seeds=2", "--first_seed=4", f"--out={tmp_path}/out", "--", *training)
    ended = processes.run(SCRIPT, *flags)
    assert ended.code == 0, ended.stderr
    out = tmp_path / "out"
    told = json.loads((out / "seeds.json").read_text())
    assert told["seeds"] == ["4", "5"]
    accuracy = told["scores"]["eval_constellation"]["segmentation_accuracy"]
    scores = out / "seed_5" / "eval" / "eval_constellation-2.json"
    assert accuracy["values"] == [0.25, json.loads(scores.read_text())["segmentation_accuracy"]]
    assert accuracy["mean"] == pytest.approx(statistics.fmean(accuracy["values"]))
    assert accuracy["deviation"] == pytest.approx(statistics.stdev(accuracy["values"]))
    assert f"{accuracy['mean']:.4f} ± {accuracy['deviation']:.4f}" in ended.stdout
    assert "seed_4" in (out / "seeds.html").read_text()
    # Again: nothing is left to do, and the first run that fails ends it.
    written = scores.stat().st_mtime_ns
    flags = [*flags, "--fail=3"]
    assert "seed 4: " in processes.run(SCRIPT, *flags).stderr
    assert scores.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        (("--out=x",), "give a training command after --"),
        (("--", "./run.sh"), "--out is missing"),
        (("--out=x", "--", "./run.sh", "--seed=3"), "--seed=3: leave it out of the command"),
        (("--out=x", "--", "./no_such.sh"), "cannot run ./no_such.sh: No such file"),
        (("--out=x", "--n_seeds=1", "--", "./run.sh"), "--n_seeds=1"),
    ],
)
def test_mistakes(processes, flags, lines):
    assert lines in processes.run(SCRIPT, *flags).mistake
