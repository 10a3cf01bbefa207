import pytest

from tests.scripts.small_configurations import write_random_data
from tests.scripts.tiny_runs import TRAIN


@pytest.fixture(scope="session")
def trained(processes, tmp_path_factory):
    """The folder of a finished run; tests that change it take a copy."""
    logdir = tmp_path_factory.mktemp("runs")
    ended = processes.run("scripts.train", *TRAIN, "--plot", "--plot_steps=4", f"--logdir={logdir}/{{name}}")
    assert ended.code == 0, ended.stderr
    assert ended.stderr == ""
    return logdir / "tiny"


@pytest.fixture(scope="session")
def random_data(tmp_path_factory):
    """What the commands of `small_configurations` read; runs go beside it."""
    folder = tmp_path_factory.mktemp("random")
    write_random_data(folder)
    return folder
