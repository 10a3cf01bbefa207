"""With --deterministic two runs of a configuration give the same bits, at every one of 200 steps.

Sizes are small, and data are random where a configuration's own are not at hand. Two configurations are run
by default, and all of them with ALL_CONFIGS=1, which takes half an hour.
"""

import os

import pytest

from discovery.snapshots import read_snapshot
from tests.scripts.small_configurations import N_STEPS, command
from tests.scripts.test_configs import CONFIGS
from tests.scripts.tiny_runs import metrics

pytestmark = pytest.mark.slow

BY_DEFAULT = ("constellation", "slot_attention_tetrominoes")


@pytest.mark.parametrize("name", [path.stem for path in CONFIGS])
def test_two_runs_give_the_same_bits(processes, random_data, name):
    if name not in BY_DEFAULT and not os.environ.get("ALL_CONFIGS"):
        pytest.skip("takes long: set ALL_CONFIGS=1 to run every configuration")
    for run in "ab":
        ended = processes.run(*command(name, random_data), f"--name={name}_{run}")
        assert ended.code == 0, ended.stderr
    one, other = (random_data / f"{name}_{run}" for run in "ab")
    assert [line["step"] for line in metrics(one)] == list(range(1, N_STEPS + 1))
    assert metrics(one) == metrics(other)
    arrays, others = (read_snapshot(str(run)) for run in (one, other))
    assert arrays.keys() == others.keys()
    assert all(arrays[key].tobytes() == others[key].tobytes() for key in arrays)
