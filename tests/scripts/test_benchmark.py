import json
import time

import pytest
import tensorflow as tf

from scripts.benchmark import measure
from scripts.benchmark_cases import Workload


def test_rates_are_those_of_the_median_call():
    naps = iter([0.2, 0.0, 0.0, 0.0, 0.01, 0.02, 0.02, 0.02, 0.2])

    def call():
        time.sleep(next(naps))
        return tf.zeros([])

    numbers = measure(Workload(call, batch_size=4, steps_per_call=10), seconds=0.0)
    assert numbers["calls"] == 5
    assert 100.0 < numbers["steps_per_s"] <= 500.0  # 10 steps in 0.02 s, if nothing gets in the way
    assert numbers["examples_per_s"] == pytest.approx(4 * numbers["steps_per_s"])
    assert numbers["first_call_s"] >= 0.2
    assert numbers["peak_rss_mb"] > 10.0


def test_writes_json(processes, tmp_path):
    path = tmp_path / "numbers.json"
    ended = processes.run(
        "scripts.benchmark", "--case=scae_constellation_train", "--seconds=0", f"--json={path}"
    )
    assert ended.code == 0, ended.stderr
    numbers = json.loads(path.read_text())
    assert numbers["case"] == "scae_constellation_train"
    assert numbers["batch_size"] == 32
    assert numbers["versions"]["tensorflow"] == tf.__version__
    assert {"steps_per_s", "examples_per_s", "first_call_s", "peak_rss_mb", "threads"} <= set(numbers)
