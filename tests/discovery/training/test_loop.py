"""Whole runs of the toy: what they write, that they resume exactly, and how they stop."""

import dataclasses
import errno
import json
import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed, UserError
from discovery.distributed.replicas import make_replicas, single_replica
from discovery.training.gradient_clipping import Clipping
from discovery.training.loop import train
from discovery.training.optimizers import RMSProp
from discovery.training.save_and_resume import list_snapshots, read_snapshot, write_snapshot
from discovery.training.schedules import ExponentialDecay
from discovery.training.train_config import TrainConfig
from tests.discovery.training.toy_model import make_toy, toy_batch, toy_data

CONFIG = TrainConfig(
    max_train_steps=30,
    run_updates_every=5,
    report_loss_steps=10,
    summary_steps=15,
    snapshot_secs=0,
    seed=3,
)


def run(folder, config=CONFIG, data=None, n_replicas=1, replicas=None, rate=0.05, **changes):
    """Trains a new toy in a folder; returns the model and the last report."""
    folder.mkdir(exist_ok=True)
    names = ("clipping", "options_at", "plots", "report", "facts", "log", "begin_with", "weights_alone")
    options = {name: changes.pop(name) for name in names if name in changes}
    if replicas is None:
        replicas = make_replicas("mirrored", n_replicas) if n_replicas > 1 else single_replica()
    with replicas.scope():
        model = make_toy()
    report = train(
        model,
        data or toy_data(),
        dataclasses.replace(config, **changes),
        folder,
        optimizer=RMSProp(1e-4),
        schedule=ExponentialDecay(rate, decay_steps=10),
        replicas=replicas,
        **{"clipping": Clipping(0.5, 0.1), "log": lambda line: None, **options},
    )
    return model, report


def names_of(folder):
    return [os.path.basename(prefix) for prefix in list_snapshots(folder)]


def lines_of(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "examples_per_s")} for line in lines]


def assert_same_snapshot(first, second, step):
    one, other = (read_snapshot(f"{folder}/model.ckpt-{step}") for folder in (first, second))
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_what_a_run_writes(tmp_path):
    told = []
    _, report = run(tmp_path, snapshot_steps=10, snapshots_to_keep=2, max_train_steps=35, log=told.append)
    assert names_of(tmp_path) == ["model.ckpt-30", "model.ckpt-35"]
    lines = lines_of(tmp_path)
    assert [line["step"] for line in lines] == [10, 20, 30, 35]
    assert report == lines[-1]
    metrics = ("loss", "fit", "entropy")
    assert {f"{s}/{m}" for s in ("train", "valid") for m in metrics} < lines[0].keys()
    assert {"train/grad_global_norm", "train/clipped_grad_norm", "lr"} < lines[0].keys()
    assert lines[0]["lr"] == pytest.approx(0.05 * 0.96**0.9)  # of the tenth step
    reports = [line for line in told if line.startswith("step ")]
    assert len(reports) == 4
    assert reports[0].startswith("step 10: loss ")
    assert not any(" 0 steps/s" in line for line in reports)
    summaries = {}
    for path in tmp_path.glob("events.*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            summaries.setdefault(event.step, set()).update(value.tag for value in event.summary.value)
    assert {step for step, tags in summaries.items() if tags} == {15, 30}
    assert {"train/loss", "valid/loss", "lr", "grad/abs_max"} < summaries[15]


def test_reports_show_this_step_and_its_own_validation_batch(tmp_path):
    model, report = run(tmp_path, ema=0.0)
    seed, step = Seed.of(3), tf.constant(30, tf.int64)
    batch = list(toy_data().valid(0).take(6))[-1]  # the sixth update is at step 30
    loss, metrics = model.loss_and_metrics(batch, step, seed, training=False)
    assert report["valid/loss"] == pytest.approx(float(loss), rel=1e-6)
    assert report["valid/fit"] == pytest.approx(float(metrics["fit"]), rel=1e-6)
    model, _ = run(tmp_path / "before", ema=0.0, max_train_steps=29)
    loss, _ = model.loss_and_metrics(toy_batch(29), step - 1, seed.fold(step - 1))
    assert report["train/loss"] == pytest.approx(float(loss), rel=1e-6)


def test_the_first_call_may_be_the_first_report(tmp_path):
    told = []
    run(tmp_path, steps_per_call=10, report_loss_steps=5, run_updates_every=5, log=told.append)
    assert not any(" 0 steps/s" in line for line in told)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert all(json.loads(line)["examples_per_s"] > 0 for line in lines)


def test_files_grow_with_reports_and_summaries_not_with_steps(tmp_path):
    def sizes(n, every):
        folder = tmp_path / f"{n}-{every}"
        run(folder, max_train_steps=n, report_loss_steps=every, summary_steps=every)
        (events,) = folder.glob("events.*")
        return np.array([events.stat().st_size, (folder / "metrics.jsonl").stat().st_size])

    few, as_many, more = sizes(40, 10), sizes(400, 100), sizes(400, 10)
    np.testing.assert_allclose(as_many, few, rtol=0.05)
    np.testing.assert_allclose(more, 10 * few, rtol=0.1)


def test_averages_may_be_updated_at_reports_only(tmp_path):
    run(tmp_path / "often", ema=0.0)
    run(tmp_path / "seldom", ema=0.0, global_ema_update=False)
    often, seldom = lines_of(tmp_path / "often"), lines_of(tmp_path / "seldom")
    assert [line["train/loss"] for line in often] == [line["train/loss"] for line in seldom]
    assert read_snapshot(str(tmp_path / "often"))["report/train/loss"][1] == 6  # updates
    assert read_snapshot(str(tmp_path / "seldom"))["report/train/loss"][1] == 3


@pytest.mark.parametrize("steps_per_call", [1, 4])
def test_resuming_is_exact(tmp_path, steps_per_call):
    run(tmp_path / "unbroken")
    for until in (13, 14, 30):
        run(tmp_path / "broken", max_train_steps=until, steps_per_call=steps_per_call)
    assert_same_snapshot(tmp_path / "unbroken", tmp_path / "broken", 30)
    assert [line for line in lines_of(tmp_path / "broken") if line["step"] % 10 == 0] == lines_of(
        tmp_path / "unbroken"
    )
    told = []
    assert run(tmp_path / "broken", log=told.append)[1] == {}
    assert "has 30 training steps already" in told[0]


def test_a_run_can_begin_with_another_run_s_snapshot(tmp_path):
    run(tmp_path / "unbroken")
    run(tmp_path / "old", max_train_steps=13)
    for until in (20, 30):  # started again, it goes on from its own
        run(tmp_path / "new", max_train_steps=until, begin_with=tmp_path / "old" / "model.ckpt-13")
    assert_same_snapshot(tmp_path / "unbroken", tmp_path / "new", 30)
    assert names_of(tmp_path / "old") == ["model.ckpt-13"]
    with pytest.raises(UserError, match="there is no snapshot"):
        run(tmp_path / "none", begin_with=tmp_path / "old" / "model.ckpt-7")


def weights_of(prefix):
    arrays = read_snapshot(str(prefix))
    return {name: arrays[name] for name in (weight.path for weight in make_toy().weights)}


@pytest.mark.parametrize("n_replicas", [1, 2])
def test_a_run_can_begin_with_weights_alone(tmp_path, n_replicas):
    """Of a snapshot with slots where that is asked for, and of one without; at step 0 in any case."""
    run(tmp_path / "old", max_train_steps=13)
    weights = weights_of(tmp_path / "old")
    (tmp_path / "bare").mkdir()
    write_snapshot(tmp_path / "bare", 13, {**weights, "global_step": np.int64(13)})
    told = []
    begun = {
        "asked": {"begin_with": tmp_path / "old" / "model.ckpt-13", "weights_alone": True},
        "bare": {"begin_with": tmp_path / "bare"},
    }
    for name, beginning in begun.items():
        folder = tmp_path / f"from_{name}"
        beginning |= {"n_replicas": n_replicas, "log": told.append}
        run(folder, max_train_steps=1, rate=0.0, **beginning)
        assert [told[0]] == [line for line in told if "begins with the weights of" in line]
        for weight in make_toy().trainable_weights:
            np.testing.assert_array_equal(weights_of(folder)[weight.path], weights[weight.path])
        run(folder, **beginning)  # goes on from its own
        assert f"{folder}: resumes from step 1" in told
        told.clear()
    assert_same_snapshot(tmp_path / "from_asked", tmp_path / "from_bare", 30)
    assert read_snapshot(f"{tmp_path}/from_asked")["global_step"] == 30


def test_replicas_resume_on_another_number(tmp_path):
    one = run(tmp_path / "one")[1]
    run(tmp_path / "several", n_replicas=2, max_train_steps=12)
    several = run(tmp_path / "several", n_replicas=4)[1]
    for name in one:
        assert several[name] == pytest.approx(one[name], rel=1e-4), name


def test_phases_have_their_options_and_one_trace_each(tmp_path):
    traced, model = [], make_toy()
    original = model.loss_and_metrics

    def counted(*args, **options):
        traced.append((options.get("training"), options["entropy_factor"]))
        return original(*args, **options)

    model.loss_and_metrics = counted
    train(
        *(model, toy_data(), dataclasses.replace(CONFIG, ema=0.0, steps_per_call=10), tmp_path),
        optimizer=RMSProp(1e-4),
        schedule=ExponentialDecay(0.05),
        options_at=lambda step: {"entropy_factor": 1.0 if step < 12 else 2.0},
        log=lambda line: None,
    )
    assert {(True, 1.0), (True, 2.0), (False, 1.0), (False, 2.0)} == set(traced)
    # For each phase one step, the same in a loop, and validation; tf.function traces none of them twice.
    assert len(traced) == 6
    first, _, last = lines_of(tmp_path)
    assert "train/factor" not in first
    assert last["train/factor"] == last["valid/factor"] == 2.0


def test_nan_in_the_data(tmp_path):
    def spoil(array):
        array[17, 3, 1] = np.nan
        return array

    for steps_per_call in (1, 10):
        folder = tmp_path / str(steps_per_call)
        with pytest.raises(UserError, match="train/loss is nan at step 18") as error:
            run(folder, data=toy_data(change=spoil), snapshot_steps=10, steps_per_call=steps_per_call)
        assert "\n" not in str(error.value)
        assert names_of(folder) == ["model.ckpt-10", "model.ckpt-17"]
    run(tmp_path / "good", max_train_steps=17)
    assert_same_snapshot(tmp_path / "good", tmp_path / "1", 17)
    assert_same_snapshot(tmp_path / "good", tmp_path / "10", 17)


def test_nan_in_the_validation_data(tmp_path):
    data = toy_data()
    spoiled = data._replace(valid=lambda start: data.valid(start).map(lambda b: {"x": b["x"] * np.nan}))
    with pytest.raises(UserError, match="valid/entropy is nan at step 5"):
        run(tmp_path, data=spoiled)


def test_variables_that_overflow_are_not_saved(tmp_path):
    told = []
    with pytest.raises(UserError, match=r"train/\w+ is \S+ at step"):
        run(tmp_path, rate=1e38, clipping=Clipping(0.5), log=told.append)
    for prefix in list_snapshots(tmp_path):
        for name, array in read_snapshot(prefix).items():
            assert np.isfinite(array).all(), name
    assert names_of(tmp_path) or "no snapshot was written" in told[-1]


@pytest.mark.parametrize("n_replicas", [1, 2])
def test_check_numerics_names_the_operation(tmp_path, n_replicas):
    def spoil(array):
        array[7] = np.inf
        return array

    with pytest.raises(UserError, match=r"the operation \w+ at .*\.py:\d+ \(\w+\) made a NaN") as error:
        run(tmp_path, data=toy_data(change=spoil), check_numerics=True, n_replicas=n_replicas)
    assert "\n" not in str(error.value)
    assert names_of(tmp_path) == []
    assert np.isinf(float(tf.math.log(0.0)))  # switched off again


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals(tmp_path, number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as stopped:
        run(tmp_path / "broken", log=lambda line: line.startswith("step 20") and os.kill(os.getpid(), number))
    assert str(stopped.value).startswith(f"{signal.Signals(number).name}: stopped after step 20, which ")
    assert "start the same command again" in str(stopped.value)
    assert signal.getsignal(number) == before
    assert names_of(tmp_path / "broken") == ["model.ckpt-20"]
    run(tmp_path / "broken")
    run(tmp_path / "unbroken")
    assert_same_snapshot(tmp_path / "broken", tmp_path / "unbroken", 30)


def test_snapshots_by_time(tmp_path, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr("discovery.training.loop.time.monotonic", lambda: float(next(clock)))
    run(tmp_path, snapshot_secs=12, snapshots_to_keep=0)
    steps = [int(name.split("-")[1]) for name in names_of(tmp_path)]
    assert len(steps) > 2
    assert steps[-1] == 30


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 5), np.uint8), ValueError("five channels")])
def test_what_only_reports_never_ends_the_training(tmp_path, monkeypatch, picture):
    def plots(model, batch, step):
        if isinstance(picture, Exception):
            raise picture
        return {"codes": picture}

    def no_page(folder):
        raise LookupError("no such curve")

    told = []
    run(
        tmp_path,
        report=no_page,
        plots=plots,
        plot=True,
        plot_share=0,
        plot_steps=5,
        snapshot_steps=10,
        log=told.append,
    )
    assert names_of(tmp_path)[-1] == "model.ckpt-30"
    warnings = [line for line in told if line.startswith("warning: ")]
    assert [line.split(" at step ")[0] for line in warnings] == [
        "warning: no pictures",
        "warning: no report page",
    ]
    assert "step 5, training continues: drawing failed (" in warnings[0]
    assert "continues: drawing failed (LookupError: no such curve)" in warnings[1]


def test_a_full_disk_under_the_log(tmp_path):
    def no_room(line):
        raise OSError(errno.ENOSPC, "No space left on device")

    run(tmp_path, log=no_room)
    assert names_of(tmp_path)[-1] == "model.ckpt-30"


def test_pictures(tmp_path):
    seen = []

    def plots(model, batch, step):
        seen.append((step, batch["x"].numpy()))
        return {"codes": np.zeros((2, 2, 3), np.uint8)}

    run(tmp_path, plots=plots)
    assert not seen  # --plot is off by default
    run(tmp_path / "seldom", plots=plots, plot=True, plot_steps=1, plot_share=1e-9)
    assert [step for step, *_ in seen] == [1]  # nothing after it has taken its share of the time
    seen.clear()
    run(tmp_path / "plotted", plots=plots, plot=True, plot_share=0, plot_steps=12)
    assert [step for step, _ in seen] == [12, 24]
    np.testing.assert_array_equal(seen[0][1], seen[1][1])
    assert (tmp_path / "plotted" / "plots" / "codes.png").exists()


def test_batch_must_be_divisible(tmp_path):
    with pytest.raises(UserError, match="a batch of 6 cannot be split over 4 replicas"):
        run(tmp_path, data=toy_data(batch_size=6), n_replicas=4)


def test_another_architecture_changes_nothing(tmp_path):
    run(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(UserError, match="another architecture"):
        train(
            *(make_toy(width=3), toy_data(), dataclasses.replace(CONFIG, max_train_steps=40), tmp_path),
            optimizer=RMSProp(1e-4),
            schedule=ExponentialDecay(0.05),
        )
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_xla_compiles_the_whole_step(tmp_path):
    plain, compiled = (run(tmp_path / str(jit), jit_compile=jit)[1] for jit in (False, True))
    for name in plain:
        assert compiled[name] == pytest.approx(plain[name], rel=1e-4), name


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ema": 1.0}, "ema must be below 1, not 1.0"),
        ({"max_train_steps": -1}, "max_train_steps must be an integer of at least 0, not -1"),
        ({"run_updates_every": 0}, "run_updates_every must be an integer of at least 1, not 0"),
    ],
)
def test_wrong_settings(values, message):
    with pytest.raises(UserError, match=message):
        TrainConfig(**values)
