"""The shell scripts: from any folder, with any flags behind, and their set-up."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scripts.tiny_runs import IMAGES

REPO = Path(__file__).parents[2]
SCRIPTS = sorted(
    path.name for pattern in ("run*.sh", "eval_*.sh", "make_*.sh") for path in REPO.glob(pattern)
)
INSTALLED = REPO / ".venv" / "requirements.installed"


def bash(command, cwd="/", **environment):
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def only_line(ended):
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stdout == ""
    return ended.stderr


def copy_of_set_up(folder):
    folder.mkdir(exist_ok=True)
    for name in ("setup_virtualenv.sh", "requirements.txt"):
        shutil.copy(REPO / name, folder)
    return folder


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def told(tmp_path):
    """Returns a function that runs a script whose `python` only tells what it was called with."""
    repo = copy_of_set_up(tmp_path / "a repo")
    for name in ("python", "ruff"):
        text = f'#!/bin/bash\necho "{name} $PYTHONPATH"\nprintf "%s\\n" "$@"\n'
        executable(repo / f".venv/bin/{name}", text)
    (repo / ".venv/bin/activate").write_text(f'PATH="{repo}/.venv/bin:$PATH"\n')
    shutil.copy(repo / "requirements.txt", repo / ".venv/requirements.installed")

    def run(script, *flags):
        shutil.copy(REPO / script, repo)
        environment = {"PATH": os.environ["PATH"]}
        ended = subprocess.run(
            [repo / script, *flags], cwd="/", env=environment, capture_output=True, text=True, check=True
        )
        return repo, ended.stdout

    return run


@pytest.mark.parametrize("script", SCRIPTS)
def test_any_folder_and_any_flags(told, script):
    repo, text = told(script, "--name=x", "--data_dir=a b")
    lines = text.splitlines()
    assert f"python {repo}" in lines
    modules = [lines[i + 1] for i, line in enumerate(lines) if line == "-m"]
    assert modules
    for module in modules:
        assert module == "pytest" or (REPO / f"{module.replace('.', '/')}.py").exists()
    for line in lines:
        if line.startswith("--flagfile="):
            path = Path(line.removeprefix("--flagfile="))
            assert (REPO / path.relative_to(repo)).exists()
    flags = lines[lines.index(modules[0]) + 1 :]
    assert flags.index("--data_dir=a b") == flags.index("--name=x") + 1
    assert all(i < flags.index("--name=x") for i, f in enumerate(flags) if f.startswith("--flagfile="))


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_that_of_one_module(told, script):
    _, text = told(script, "--help")
    if script == "run_tests.sh":
        assert text.startswith("Sets up and runs all tests; arguments go to pytest")
    else:  # run.sh does not go on to an evaluation
        assert text.count("\n-m\n") == text.count("\n--help\n") == 1


def test_help_of_the_launcher():
    ended = bash(f"{REPO}/scripts/launch_local.sh --help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Starts N workers of one training on this machine")


def test_the_second_set_up_is_quick():
    if not INSTALLED.exists() or INSTALLED.read_bytes() != (REPO / "requirements.txt").read_bytes():
        pytest.skip("these tests run in another environment than .venv")
    start = time.monotonic()
    ended = bash(f"set -euo pipefail; source '{REPO}/setup_virtualenv.sh'; which python; echo $PYTHONPATH")
    assert time.monotonic() - start < 2.0
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0] == f"{REPO}/.venv/bin/python"
    assert ended.stdout.splitlines()[1].startswith(str(REPO))


@pytest.mark.parametrize("python", ["an older one", "/absent/python"])
def test_python_that_is_too_old_or_missing(tmp_path, python):
    repo = copy_of_set_up(tmp_path)
    if python == "an older one":
        code = "import sys; sys.version_info = (3, 10, 9); exec(sys.argv[2])"  # called with -c CODE
        python = str(executable(repo / "python3.10", f'#!/bin/bash\n{sys.executable} -c "{code}" "$@"\n'))
    shutil.copy(REPO / "run_mnist.sh", repo)
    line = only_line(bash(f"{repo}/run_mnist.sh", PYTHON=python))
    assert f"{python} is missing or older than Python 3.11; install 3.11 or newer" in line
    assert not (repo / ".venv").exists()


@pytest.mark.slow
def test_no_network(tmp_path):
    repo = copy_of_set_up(tmp_path)
    shutil.copy(REPO / "run_mnist.sh", repo)
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull}
    for _ in range(2):  # what was left behind does not pass for an installation
        ended = bash(f"{repo}/run_mnist.sh", PYTHON=sys.executable, PIP_RETRIES="0", **nowhere)
        assert ended.stdout.startswith("setup_virtualenv.sh: installs requirements.txt into")
        ended.stdout = ""
        assert "check the network connection, then run again" in only_line(ended)


@pytest.mark.slow
def test_run_sh(tmp_path):
    """The first command of the README at a tiny size, with everything real."""
    if not INSTALLED.exists():
        pytest.skip("these tests run in another environment than .venv")
    flags = [*IMAGES, "--name=tiny", "--max_train_steps=2", "--noplot", f"--logdir={tmp_path}/{{name}}"]
    ended = subprocess.run(
        [REPO / "run.sh", *flags],
        cwd="/",
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert "step 2: loss" in ended.stdout
    assert "Accuracy of clusters" in ended.stdout
    assert (tmp_path / "tiny" / "eval" / "eval_mnist-2.json").exists()
    assert (tmp_path / "tiny" / "tsne.png").exists()
