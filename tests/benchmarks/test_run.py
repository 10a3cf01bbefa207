import json
import time

import pytest
import tensorflow as tf

from benchmarks.cases import Workload
from benchmarks.numbers import read_numbers
from benchmarks.run import measure, ratio, table
from discovery import UserError

#: Graphs of one step in one lane are built in a fraction of the time.
SHORT = ("--steps_per_call=1", "--encoder_lanes=1")


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
        "benchmarks.run", "--case=scae_constellation_train", "--seconds=0", f"--json={path}"
    )
    assert ended.code == 0, ended.stderr
    numbers = json.loads(path.read_text())
    assert numbers["case"] == "scae_constellation_train"
    assert numbers["batch_size"] == 32
    assert numbers["versions"]["tensorflow"] == tf.__version__
    assert {"steps_per_s", "examples_per_s", "first_call_s", "peak_rss_mb", "threads"} <= set(numbers)


def test_table_shows_earlier_numbers(tmp_path):
    now = {"scae_mnist_train": {"examples_per_s": 486.0, "peak_rss_mb": 1000.0, "first_call_s": 9.0}}
    path = tmp_path / "earlier.json"
    path.write_text(json.dumps({"case": "scae_mnist_train", "examples_per_s": 972.0}))
    earlier = read_numbers(str(path))
    assert ratio(now, earlier, "scae_mnist_train") == 0.5
    assert table(now, earlier).splitlines()[-1] == ("| scae_mnist_train | 486 | 1000 | 9.0 | 0.50 |")


@pytest.mark.parametrize("text", ["", "[1]", '{"case": "scae_mnist_train"}'])
def test_compares_with_nothing_else(tmp_path, text):
    path = tmp_path / "earlier.json"
    path.write_text(text)
    with pytest.raises(UserError, match="give a file that --json wrote"):
        read_numbers(str(path))


def test_flags_change_a_case(processes, tmp_path):
    path = tmp_path / "numbers.json"
    flags = ("--batch_size=2", "--n_caps=2", *SHORT)
    ended = processes.run(
        *("benchmarks.run", "--case=scae_constellation_train", "--seconds=0", f"--json={path}"),
        *("--", *flags),
    )
    assert ended.code == 0, ended.stderr
    numbers = json.loads(path.read_text())
    assert (numbers["batch_size"], numbers["flags"]) == (2, list(flags))
    assert 0.0 < numbers["built_rss_mb"] <= numbers["peak_rss_mb"]
    row = ended.stdout.splitlines()[-1].split(" | ")
    assert row[0] == " ".join(["| scae_constellation_train", *flags])
    earlier = {"scae_constellation_train": {"examples_per_s": 1.0}}
    assert ratio({"scae_constellation_train": numbers}, earlier, "scae_constellation_train") == float("inf")


def test_input_keeps_up(processes):
    case = ("--case=scae_constellation_train", "--turns=1", "--seconds=0")
    ended = processes.run("benchmarks.input", *case, "--", *SHORT)
    assert ended.code == 0, ended.stderr
    assert float(ended.stdout.split("median ratio ")[1]) > 0.0


def test_profile_names_parts_of_the_model(processes):
    ended = processes.run(
        *("benchmarks.profile", "--case=scae_constellation_train", "--n_calls=1", "--n_parts=100"),
        *("--", "--batch_size=2", "--steps_per_call=2"),
    )
    assert ended.code == 0, ended.stderr
    rows = dict(line.strip("| ").split(" | ", 1) for line in ended.stdout.splitlines()[2:])
    forward, backward = (float(ms) for ms in rows["encoder/block_0"].split(" | "))
    assert forward > 0.0
    assert backward > 0.0
    assert float(rows["sum"].split(" | ")[0]) > forward
