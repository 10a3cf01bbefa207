"""Paths on the command line: `~` in all, and whole ones where a run stores them."""

import json
import os
import subprocess
import sys

import pytest

from scripts.path_flags import escaped
from tests.scripts.processes import REPO

#: Prints some flags of a script as they are once the command line is read, and what of them a run stores.
PROGRAM = """
import importlib, json, sys
from absl import flags
from scripts import path_flags, training_flags
module = importlib.import_module(f"scripts.{sys.argv[1]}")
if hasattr(module, "define"):
    module.define()
names = sys.argv[2].split(",")
flags.FLAGS(["program", *sys.argv[3:]])
path_flags.complete_paths()
told = {name: flags.FLAGS[name].value for name in names}
if "logdir" in flags.FLAGS:
    told["changed"] = training_flags.facts()["changed_flags"]
print(json.dumps(told))
"""


def parsed(folder, script, names, *arguments):
    """Returns the flags that a script sees in a folder, of a user whose home is /home/ada."""
    path = {"HOME": "/home/ada", "PYTHONPATH": str(REPO)}
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, script, names, *arguments],
        cwd=folder,
        env={**os.environ, **path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


#: Script -> its flags that are paths, and flags that it cannot do without.
PATHS = {
    "train": ("data_dir,valid_file,logdir,checkpoint", "--name=a"),
    "train_emorl": ("data_path,logdir,out_dir,checkpoint,weights_from", "--name=a"),
    "eval_mnist": "snapshot,json,results,data_dir",
    "eval_constellation": "snapshot,json,results",
    "eval_emorl": "snapshot,json,results,data_path",
    "convert_checkpoint": "source,out",
    "export_model": "snapshot,out",
    "export_step": "snapshot,out,data",
    "make_dataset": "out,data_path,picture",
    "run_seeds": "out",
    "compare_runs": "out",
}


@pytest.mark.parametrize("script", PATHS)
def test_the_home_folder_may_be_a_tilde(tmp_path, script):
    names, *required = PATHS[script] if isinstance(PATHS[script], tuple) else (PATHS[script],)
    given = [f"--{name}=~/a/b" for name in names.split(",")]
    told = parsed(tmp_path, script, names, *given, *required)
    assert {told[name] for name in names.split(",")} == {"/home/ada/a/b"}


def test_runs_store_whole_paths(tmp_path):
    (tmp_path / "{here}").mkdir()
    folder = tmp_path / "{here}"
    flags = ("--name=a", "--data_dir=../data", "--checkpoint=pretrained/digits")
    told = parsed(folder, "train", "data_dir,valid_file,checkpoint,logdir", *flags)
    assert told["data_dir"] == f"{folder}/../data"
    assert told["valid_file"] is None
    assert told["checkpoint"] == "pretrained/digits"  # may lie beside the packages
    assert told["logdir"].format(name="a") == f"{folder}/checkpoints/a"
    assert set(told["changed"]) == {"name", "data_dir", "checkpoint"}
    told = parsed(folder, "train_emorl", "data_path,out_dir", "--name=a", "--out_dir=runs")
    assert (told["data_path"], told["out_dir"]) == ("", f"{folder}/runs")
    assert escaped(told["out_dir"]).format(name="a") == f"{folder}/runs"
