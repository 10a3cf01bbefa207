"""What `pip install .` gives: packages, configurations, pretrained weights, and a command for each script."""

import itertools
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from discovery.pretrained import SCORES_FILE
from scripts import console
from stacked_capsules.configuration import ConstellationConfig
from stacked_capsules.seeded_models import make_constellation
from tests.scripts.tiny_runs import IMAGES, contents
from tests.written_runs import write_run

REPO = Path(__file__).parents[2]
LEFT_OUT = (".git", ".venv", "checkpoints", "build", "*.egg-info", "__pycache__", ".*_cache")

#: What an installed package does as a library.
PROGRAM = """
import importlib.metadata
import sys
import emorl, stacked_capsules
assert emorl.__file__.startswith(sys.argv[1])
installed = importlib.metadata.version("unsupervised-object-discovery")
assert emorl.__version__ == stacked_capsules.__version__ == installed
assert emorl.build("slot_attention_tetrominoes").config.K == 4
assert stacked_capsules.load_pretrained("tiny").decoder.n_votes == 2
assert stacked_capsules.load_run("pretrained/tiny").decoder.n_votes == 2
assert stacked_capsules.load_run("runs/digits").part_encoder.n_caps == 3
"""


PYPROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())


def test_every_script_is_a_command(monkeypatch):
    calls = []
    monkeypatch.setattr(runpy, "run_module", lambda *args, **kwargs: calls.append((args, kwargs)))
    named = PYPROJECT["project"]["scripts"]
    for module in sorted(
        p.stem for p in (REPO / "scripts").glob("*.py") if "entry_point.run(" in p.read_text()
    ):
        assert named[f"discovery-{module.replace('_', '-')}"] == f"discovery.scripts.console:{module}"
        getattr(console, module)()
        assert calls.pop() == ((f"scripts.{module}",), {"run_name": "__main__", "alter_sys": True})
    assert {target.partition(":")[2] for target in named.values()} == set(console.COMMANDS)


def test_the_wheel_has_all_packages():
    found = {str(p.parent.relative_to(REPO)).replace("/", ".") for p in REPO.glob("*/**/__init__.py")}
    roots = ("discovery", "emorl", "stacked_capsules")
    inside = {f"discovery.{folder}" for folder in ("configs", "pretrained", "scripts")}
    wanted = {name for name in found if name.split(".")[0] in roots} | inside
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == wanted


def test_pins_are_the_lower_bounds():
    project = PYPROJECT["project"]
    ranges = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    pinned = [(REPO / name).read_text() for name in ("requirements.txt", "requirements-tests.txt")]
    lines = "\n".join(pinned).splitlines()
    pins = dict(line.split("#")[0].strip().split("==") for line in lines if "==" in line)
    for text in ranges:
        name, least = re.fullmatch(r"([\w-]+)(?:\[.*\])?>=([\d.]+)(?:,<\d+)?", text).groups()
        assert f"{pins[name]}.0".startswith(f"{least}."), text


@pytest.mark.slow
def test_installed_it_trains_and_evaluates_beside_other_packages(tmp_path):
    """In an environment of its own, called from a folder that has packages of the names of folders here."""
    shutil.copytree(REPO, tmp_path / "source", ignore=shutil.ignore_patterns(*LEFT_OUT))
    tiny = tmp_path / "source" / "pretrained" / "tiny"
    config = ConstellationConfig(n_votes=2)
    write_run(tiny, "constellation", config, make_constellation(config))
    (tiny / SCORES_FILE).write_text("{}\n")
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [site] = environment.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python"]
    built = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--retries", "1", tmp_path / "source"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "No matching distribution found for setuptools" in built.stderr:
        pytest.skip("pip cannot reach an index that has setuptools")
    assert built.returncode == 0, built.stderr
    ours = {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")}
    assert ours == {"discovery", "emorl", "stacked_capsules"}
    here = {path.name for path in (REPO / "configs").glob("*.flags")}
    assert {path.name for path in (site / "discovery" / "configs").iterdir()} == here
    assert contents(site / "discovery" / "pretrained") == contents(tiny.parent)

    libraries = Path(pytest.__file__).parents[1]
    (site / "libraries.pth").write_text(f"{libraries}\n")
    work = tmp_path / "work"
    for name in ("scripts", "training", "configs", "discovery_of_mine"):
        (work / name).mkdir(parents=True)
        (work / name / "__init__.py").write_text("raise ImportError('this is another project')\n")

    def call(command, *arguments, folder=work):
        ended = subprocess.run(
            [environment / "bin" / command, *arguments],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    flags = ("--flagfile=configs/digits.flags", *IMAGES, "--max_train_steps=1", "--logdir=runs/{name}")
    told = call("discovery-train", *flags, "--report_loss_steps=1", "--plot=false")
    assert f"score it:   discovery-eval-mnist --snapshot={work}/runs/digits" in told
    call("discovery-eval-mnist", f"--snapshot={work}/runs/digits", "--tsne_figure_name=", folder=tmp_path)
    assert (work / "runs" / "digits" / "eval" / "eval_mnist-1.json").exists()
    call("python", "-c", PROGRAM, site)
