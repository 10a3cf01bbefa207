"""What `pip install .` gives: packages, configurations, pretrained weights, and four commands."""

import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from discovery.pretrained import SCORES_FILE
from scripts import console
from stacked_capsules.experiments import ConstellationConfig, make_constellation
from tests.scripts.tiny_runs import IMAGES, contents
from tests.written_runs import write_run

REPO = Path(__file__).parents[2]
LEFT_OUT = (".git", ".venv", "checkpoints", "build", "*.egg-info", "__pycache__", ".*_cache")

#: Runs where nothing but the wheel's contents can be imported beside the libraries.
PROGRAM = """
import importlib.metadata
import sys
import tomllib
from importlib.metadata import entry_points
import emorl, stacked_capsules
assert emorl.__file__.startswith(sys.argv[1])
installed = importlib.metadata.version("unsupervised-object-discovery")
assert emorl.__version__ == stacked_capsules.__version__ == installed
assert emorl.build("slot_attention_tetrominoes").config.K == 4
assert stacked_capsules.load_pretrained("tiny").decoder.n_votes == 2
assert stacked_capsules.load_run("pretrained/tiny").decoder.n_votes == 2
[command] = entry_points(group="console_scripts", name="scae-train")
sys.argv = ["scae-train", *sys.argv[2:]]
try:
    command.load()()
except SystemExit as end:
    assert not end.code, end.code
model = stacked_capsules.load_run("runs/digits")
assert model.part_encoder.n_caps == 3
"""


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("scae_train", "scripts.train"),
        ("scae_eval", "scripts.eval_mnist"),
        ("emorl_train", "scripts.train_emorl"),
        ("emorl_eval", "scripts.eval_emorl"),
    ],
)
def test_commands_run_their_modules(monkeypatch, command, module):
    calls = []
    monkeypatch.setattr(runpy, "run_module", lambda *args, **kwargs: calls.append((args, kwargs)))
    getattr(console, command)()
    assert calls == [((module,), {"run_name": "__main__", "alter_sys": True})]
    name = command.replace("_", "-")
    assert f'{name} = "scripts.console:{command}"' in (REPO / "pyproject.toml").read_text()


def test_extras_are_those_of_the_tests():
    extras = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = (REPO / "requirements-tests.txt").read_text().splitlines()
    extras.pop("gpu")  # no test needs a GPU
    needed = {package for packages in extras.values() for package in packages}
    assert {line for line in lines if not line.startswith("#")} >= needed


@pytest.mark.slow
def test_the_wheel_is_all_that_is_needed(tmp_path):
    shutil.copytree(REPO, tmp_path / "source", ignore=shutil.ignore_patterns(*LEFT_OUT))
    tiny = tmp_path / "source" / "pretrained" / "tiny"
    config = ConstellationConfig(n_votes=2)
    write_run(tiny, "constellation", config, make_constellation(config))
    (tiny / SCORES_FILE).write_text("{}\n")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--retries", "1"]
    built = subprocess.run(
        [*pip, "-w", tmp_path, tmp_path / "source"], capture_output=True, text=True, check=False
    )
    if "No matching distribution found for setuptools" in built.stderr:
        pytest.skip("pip cannot reach an index that has setuptools")
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    here = {path.name for path in (REPO / "configs").glob("*.flags")}
    assert {path.name for path in (site / "configs").iterdir()} == here
    assert not (site / "tests").exists()
    assert contents(site / "pretrained") == contents(tiny.parent)

    flags = ("--flagfile=configs/digits.flags", *IMAGES, "--max_train_steps=1", "--logdir=runs/{name}")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, site, *flags, "--report_loss_steps=1", "--plot=false"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "runs/digits/model.ckpt-1.index").exists()
