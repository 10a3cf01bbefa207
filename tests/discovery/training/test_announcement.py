"""What a run says of itself: before its first step, with each report, after its last one, in `run.json`."""

import json
import re

import pytest
import tensorflow as tf

from discovery.distributed.replicas import make_replicas, single_replica
from discovery.training import devices
from discovery.training.announcement import duration, n_parameters
from tests.discovery.training.test_loop import run
from tests.discovery.training.toy_model import make_toy, toy_data


def test_a_run_says_what_it_is_and_where_its_results_are(tmp_path):
    told = []
    data = toy_data()._replace(sets={"train": "12 toys in a.h5", "valid": "3 toys in b.h5"})
    run(tmp_path, data=data, facts={"seed": 3, "changed_flags": {}}, log=told.append)
    assert told[0].split(":")[0] == "run"
    assert str(tmp_path) in told[0]
    text = "\n".join(told)
    assert f"{n_parameters(make_toy()):,} parameters" in text
    assert "training:   12 toys in a.h5\nvalidation: 3 toys in b.h5\ndevice:     CPU, " in text
    assert "steps:      30 of 8 examples;" in text
    reports = [line for line in told if line.startswith("step ")]
    assert all(re.search(r"steps/s, about \d+ s left$", line) for line in reports[:-1])
    assert reports[-1].endswith("steps/s")
    assert told[-1] == f"done:       30 steps; open {tmp_path / 'report.html'}"
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["device"] == devices.device_in_words(single_replica())
    assert facts["parameters"] == n_parameters(make_toy())


def test_a_run_that_is_resumed_says_so(tmp_path):
    run(tmp_path, max_train_steps=10)
    told = []
    run(tmp_path, max_train_steps=20, log=told.append)
    assert "steps:      20 of 8 examples, 10 of them taken;" in "\n".join(told)


def test_devices_in_words(monkeypatch):
    two = make_replicas("mirrored", 2)
    assert re.fullmatch(r"2 replicas on CPU, \d+ cores?", devices.device_in_words(two))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0", "GPU:1"])
    named = {"device_name": "NVIDIA H100"}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: named)
    assert devices.device_in_words(two) == "2 replicas on 2 GPUs, NVIDIA H100"
    assert devices.device_in_words(single_replica()) == "GPU, NVIDIA H100"


def test_a_gpu_that_tensorflow_does_not_see_is_told(monkeypatch, tmp_path):
    driver = tmp_path / "version"
    monkeypatch.setattr(devices, "_NVIDIA_DRIVER", str(driver))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert devices.missing_gpu() is None
    driver.write_text("NVRM")
    assert "pip install 'tensorflow[and-cuda]==" in devices.missing_gpu()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
    assert devices.missing_gpu() is None


def test_mirrored_without_gpus_is_told():
    told = []
    make_replicas("mirrored", log=told.append)
    make_replicas("auto", log=told.append)
    assert told == ["warning: --strategy=mirrored: there is no GPU; one replica on the CPU"]


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (720, "12 min"), (12240, "3.4 h")])
def test_times_are_told_in_a_unit_that_fits(seconds, text):
    assert duration(seconds) == text
