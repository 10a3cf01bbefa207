"""Moving averages against hand-worked numbers and TensorFlow's own; the files of a run."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from discovery import UserError
from discovery.training.run_log import MovingAverages, RunLog
from tests.discovery.training.file_size_limit import file_size_limit


def test_averages_by_hand():
    averages = MovingAverages(0.9)
    assert averages.averages() == {}
    averages.update({"x": 2.0})
    assert averages.averages() == {"x": pytest.approx(2.0)}  # no bias towards zero
    averages.update({"x": 4.0})
    # (0.1 * 0.9 * 2 + 0.1 * 4) / (1 - 0.81)
    assert averages.averages() == {"x": pytest.approx(0.58 / 0.19)}


def test_metrics_come_and_go():
    averages = MovingAverages(0.9)
    averages.update({"x": 1.0, "y": 1.0})
    averages.update({"x": 1.0, "z": 3.0})
    assert averages.averages() == {"x": pytest.approx(1.0), "z": pytest.approx(3.0)}


def test_averages_are_tensorflow_1s():
    values = np.random.default_rng(0).normal(size=20).astype(np.float32)
    averages = MovingAverages(0.9)
    with tf.Graph().as_default():
        value = tf.compat.v1.placeholder(tf.float32, [])
        ema = tf.train.ExponentialMovingAverage(0.9, zero_debias=True)
        update = ema.apply([value])
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            for v in values:
                averages.update({"x": v})
                session.run(update, {value: v})
                want = session.run(ema.average(value))
                assert averages.averages()["x"] == pytest.approx(want, rel=1e-4)


def test_no_smoothing():
    averages = MovingAverages(0.0)
    for value in (1.0, 5.0):
        averages.update({"x": value})
        assert averages.averages() == {"x": value}


def test_averages_go_on_exactly():
    one, first = MovingAverages(0.9), MovingAverages(0.9)
    for i in range(3):
        one.update({"train/x": i / 7, "valid/y": -i / 3})
        first.update({"train/x": i / 7, "valid/y": -i / 3})
    second = MovingAverages(0.9, first.state() | {"other/x": np.float32(3)})
    for averages in (one, second):
        averages.update({"train/x": 0.3, "valid/y": 0.1})
    assert one.averages() == second.averages()


def test_lines_after_the_snapshot_are_told_anew(tmp_path):
    log = RunLog(tmp_path, 0)
    for step in (10, 20, 30):
        log.report(step, {"train/loss": 1 / step, "seconds": step / 2})
    log.close()
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('[]\n{}\n{"step": 1e999}\n{"step": 1, "seconds": "x"}\n' + 10**5 * "[" + "\n")  # damage
        file.write('{"step": 40, "tra')  # killed while writing
    resumed = RunLog(tmp_path, 20)
    assert resumed.seconds == 10.0
    resumed.report(30, {"train/loss": 5.0})
    resumed.close()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert lines[-1]["train/loss"] == 5.0


@pytest.mark.parametrize("n_bytes", [0, 21, 40])
def test_a_full_disk(tmp_path, n_bytes):
    log = RunLog(tmp_path, 0)
    log.report(1, {"loss": 2.0})
    log.pictures(1, {"p": np.zeros((2, 2, 3), np.uint8)})
    before = {name: (tmp_path / name).read_bytes() for name in ("metrics.jsonl", "plots/p.png")}
    writes = {
        "metrics.jsonl": lambda: log.report(2, {"loss": 1.0}),
        "events": lambda: log.summary(2, {"loss": 1.0}),
        "plots": lambda: log.pictures(2, {"p": np.ones((90, 90, 3), np.uint8)}),
        "events.*": lambda: RunLog(tmp_path, 1),
    }
    with file_size_limit(n_bytes):
        for name, write in writes.items():
            with pytest.raises(UserError, match=rf"cannot write {tmp_path}/{name}.*: .*MB are free") as error:
                write()
            assert "start the same command again" in str(error.value)
            assert "\n" not in str(error.value)
    log.close()
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert sorted(p.name for p in (tmp_path / "plots").rglob("*.png")) == ["p-1.png", "p.png"]


def test_pictures_and_events(tmp_path):
    log = RunLog(tmp_path, 0)
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    log.pictures(7, {"templates": picture * 0})
    log.pictures(9, {"templates": picture})
    log.summary(9, {"train/loss": 1.5})
    log.close()
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "plots" / "templates.png")), picture)
    assert sorted(os.listdir(tmp_path / "plots")) == ["over_time", "templates.png"]
    assert sorted(os.listdir(tmp_path / "plots" / "over_time")) == ["templates-7.png", "templates-9.png"]
    RunLog(tmp_path, 8).close()  # resumed from step 8
    assert os.listdir(tmp_path / "plots" / "over_time") == ["templates-7.png"]
    found = {}
    for path in tmp_path.glob("events.*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found[event.step, value.tag] = tf.make_ndarray(value.tensor)
    assert found[9, "train/loss"] == 1.5
    image = tf.image.decode_png(found[9, "templates"][2])
    np.testing.assert_array_equal(image, picture)
