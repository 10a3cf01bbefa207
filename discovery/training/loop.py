"""The training loop: steps, with reports, pictures and snapshots when they are due."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from discovery import Batch, DataSource, TrainableModel, UserError
from discovery.distributed.replicas import Replicas, single_replica
from discovery.distributed.shared_decisions import Agreement
from discovery.training.announcement import closing, n_parameters, opening, time_left
from discovery.training.check_numerics import checked_numerics
from discovery.training.devices import device_in_words, missing_gpu
from discovery.training.execution import Execution, StepMetrics, Validation
from discovery.training.gradient_clipping import GRADIENT_STATISTICS, Clipping
from discovery.training.interruption import Interruption
from discovery.training.optimizers import Optimizer
from discovery.training.run_facts import write_facts
from discovery.training.run_folder import write_flags
from discovery.training.run_log import MovingAverages, RunLog, SilentLog, progress_bar
from discovery.training.save_and_resume import begin_state, write_snapshot
from discovery.training.schedules import Schedule
from discovery.training.step import TrainingStep
from discovery.training.train_config import TrainConfig
from discovery.training.train_state import TrainState

#: Number of calls after which their results are checked, if nothing else asks for them.
_LOOK_AT_LEAST_EVERY = 100

Plots = Callable[[TrainableModel, Batch, int], Mapping[str, np.ndarray]]


def train(
    model: TrainableModel,
    data: DataSource,
    config: TrainConfig,
    folder: Path,
    *,
    optimizer: Optimizer,
    schedule: Schedule,
    clipping: Clipping | None = None,
    replicas: Replicas | None = None,
    options_at: Callable[[int], Mapping[str, Any]] = lambda step: {},
    plots: Plots | None = None,
    report: Callable[[Path], Any] = lambda folder: None,
    flags: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
    begin_with: str | Path = "",
    weights_alone: bool = False,
    bar: bool = True,
    log: Callable[[str], None] = lambda line: print(line, flush=True),
) -> dict[str, float]:
    """Trains a model, from the folder's last snapshot where it has one, up to `config.max_train_steps`.

    With several workers all of them call it; only the chief reads and writes the folder and reports progress.

    Args:
        model: built, in the scope of `replicas`.
        data: batches as functions of the step.
        config: the settings.
        folder: the run's folder, made by `discovery.training.run_folder.prepare_run_folder`.
        optimizer: the pure update.
        schedule: step -> learning rate.
        clipping: how gradients are clipped; by default not at all.
        replicas: where it runs; by default on one replica.
        options_at: step -> the model's keyword options in that phase; each combination is traced once.
        plots: draws pictures (uint8 [H, W, 3] by name) of the model on the first validation batch.
        report: called with the folder after the first report and after each snapshot; draws a page, say.
        flags: the run's flags, for `flags.txt`; nothing is written before the snapshot has proved usable.
        facts: about the run, for `run.json`: `changed_flags` and `seed`.
        begin_with: another run's snapshot, with which a run without snapshots of its own begins: it resumes
            at that step or, where that snapshot holds only weights, begins at step 0.
        weights_alone: take only the weights from `begin_with`.
        bar: show a progress bar, where standard error is a terminal.
        log: receives the lines that report progress.

    Returns:
        the last report: smoothed `train/*` and `valid/*` metrics and `lr`; empty where no step was left.

    Raises:
        UserError: the snapshot belongs to another architecture, the batch cannot be split, a metric is NaN.
        KeyboardInterrupt: SIGINT or SIGTERM came, to any worker; its text says how to resume. A snapshot was
            written.
    """
    folder, replicas = Path(folder), replicas or single_replica()
    step = TrainingStep(
        model, optimizer, schedule, clipping or Clipping(), statistics_every=config.summary_steps
    )
    state = TrainState(model, optimizer, replicas)
    log = _where_it_can(log) if replicas.is_chief else lambda line: None
    told = {}
    if replicas.is_chief:
        told = begin_state(folder, state.named, model, log, begin_with, weights_alone)
        if flags is not None:
            write_flags(folder, flags)
        if facts is not None:
            about = {"device": device_in_words(replicas), "parameters": n_parameters(model)}
            write_facts(folder, {**facts, **about}, int(state.step.numpy()))
    replicas.share(state.named.values())
    audience = _Audience(plots, report, log, bar, (flags or {}).get("model", ""))
    run = _Run(
        step, state, data, config, folder, replicas, options_at, audience, MovingAverages(config.ema, told)
    )
    try:
        with checked_numerics(config.check_numerics), Interruption() as interruption:
            return run.to_the_end(interruption)
    finally:
        run.close()


class _Audience(NamedTuple):
    """Who hears how a run is going, and the model's kind, whose evaluations are named at the end."""

    plots: Plots | None
    report: Callable[[Path], Any]
    log: Callable[[str], None]
    bar: bool
    model_kind: str


def _where_it_can(log):
    """Logs, but drops a line that a full disk rejects: failing snapshots report the lack of space."""

    def log_line(line):
        with contextlib.suppress(OSError):
            log(line)

    return log_line


class _Run:
    """One call of `train`: what it holds besides the model's state, and what it does at which step."""

    def __init__(self, step, state, data, config, folder, replicas, options_at, audience, averages):
        self.model, self.data, self.config, self.folder = step.model, data, config, folder
        self.replicas, self.options_at = replicas, options_at
        self.plots, self.report, self.log, bar, self.model_kind = audience
        self.state, self.averages = state, averages
        self.chief = replicas.is_chief
        self.agreement = Agreement(replicas)
        self.step = self.saved_step = int(state.step.numpy())  # number of steps taken
        jit_compile = config.jit_compile and not config.check_numerics
        self.execution = Execution(step, state, replicas, config.seed, jit_compile)
        self.validation = Validation(step.model, state, replicas, config.seed)
        self.run_log = RunLog(folder, self.step) if self.chief else SilentLog()
        self.bar = progress_bar(self.step, config.max_train_steps, folder.name, bar and self.chief)
        self.unchecked: list[tuple[int, StepMetrics]] = []  # steps taken, and that call's metrics
        self.metrics: dict[str, float] = {}  # of the last step that was checked
        self.last_report: dict[str, float] = {}
        self.plot_batch: Batch | None = None
        self.plot_seconds = 0.0
        self.reported = False  # the page exists from the first report on
        self.failed_reports: set[str] = set()  # kinds that the user was warned about

    def to_the_end(self, interruption):
        if self.step >= self.config.max_train_steps:
            self.log(
                f"{self.folder}: has {self.step} training steps already; no more than "
                f"{self.config.max_train_steps} are requested"
            )
            return {}
        update_steps = self.config.update_steps
        train = self._iterate(self.data.train(self.step))
        valid = self._iterate(self.data.valid(self.step // update_steps if update_steps else 0))
        self._announce()
        self.snapshot_time = time.monotonic()
        self.window = self.start = (self.step, self.snapshot_time)
        while self.step < self.config.max_train_steps:
            n, options = self._next_call()
            metrics = self.execution.steps(train, n, **options)
            if not self.metrics and not self.unchecked:
                self.window = (self.step + n, time.monotonic())  # rates exclude tracing where they can
            self.step += n
            self.unchecked.append((self.step, metrics))
            self.bar.update(n)
            self._do_what_is_due(valid, options)
            snapshot, stop = self.agreement(self._wants_snapshot(), bool(interruption.received))
            if snapshot:
                self._snapshot()
            if stop and self.step < self.config.max_train_steps:
                self._stop_for(interruption.received or "a signal to another worker")
        self._snapshot_for_all()
        for line in closing(self.folder, self.step, self.model_kind):
            self.log(line)
        return self.last_report

    def _announce(self):
        steps = (self.step, self.config.max_train_steps)
        device = device_in_words(self.replicas)
        for line in opening(self.folder, self.model, self.data.sets, device, steps, self.batch_size):
            self.log(line)
        if hint := missing_gpu():
            self.log(f"warning: {hint}")
        if self.step:
            self.log(f"{self.folder}: resumes from step {self.step}")

    def close(self):
        self.run_log.close()
        self.bar.close()

    def _do_what_is_due(self, valid, options):
        config = self.config
        if self._due(config.run_updates_every) or len(self.unchecked) == _LOOK_AT_LEAST_EVERY:
            self._look()
        if self._due(config.update_steps):
            self._update_averages(self._look(), self.validation(valid, **options).as_floats())
        if self._due(config.report_loss_steps) or self.step == config.max_train_steps:
            self._report()
        if self._due(config.summary_steps):
            statistics = {k: v for k, v in self._look().items() if k in GRADIENT_STATISTICS}
            self.run_log.summary(self.step, {**self._smoothed(), **statistics})
        if config.plot and self.plots and self._due(config.plot_steps) and self._has_time_to_plot():
            self._plot()
        if self._due(config.snapshot_steps):
            self._snapshot()

    def _has_time_to_plot(self):
        """Whether pictures have taken no more than their share of the time so far."""
        share, seconds = self.config.plot_share, time.monotonic() - self.start[1]
        return share == 0.0 or self.plot_seconds <= share * seconds

    def _wants_snapshot(self):
        """Whether it is time for a snapshot, by the chief's clock."""
        return self.chief and 0 < self.config.snapshot_secs <= time.monotonic() - self.snapshot_time

    def _due(self, every):
        return every > 0 and self.step % every == 0

    def _next_call(self):
        """Returns how many steps to take until there is something to do, and the options of all of them."""
        config = self.config
        intervals = [config.run_updates_every, config.update_steps, config.report_loss_steps]
        intervals += [config.summary_steps, config.snapshot_steps, config.plot_steps if config.plot else 0]
        n = min(every - self.step % every for every in intervals if every > 0)
        n = min(n, config.steps_per_call, config.max_train_steps - self.step)
        options = self.options_at(self.step)
        while n > 1 and self.options_at(self.step + n - 1) != options:
            n -= 1
        return n, options

    def _look(self):
        """Waits for the device; returns the metrics of the last step, or stops if one went wrong."""
        if self.unchecked:
            fault = int(self.state.fault.numpy())
            if fault >= 0:
                metrics = next(metrics for step, metrics in self.unchecked if step > fault)
                self._stop_at_fault(fault, metrics.as_floats())
            self.metrics = self.unchecked[-1][1].as_floats()
            self.unchecked.clear()
        return self.metrics

    def _stop_at_fault(self, fault, metrics):
        wrong = [name for name in ("loss", *metrics, "grad_global_norm") if not math.isfinite(metrics[name])]
        name = wrong[0] if wrong else "grad_global_norm"  # reported as -1 where gradients are clipped
        self.step = fault
        self.unchecked.clear()
        try:
            self._snapshot_for_all()
        except UserError as error:  # the last good step had overflowed already, or the disk is full
            self.log(f"warning: {error}")
        raise UserError(
            f"train/{name} is {metrics[name]} at step {fault + 1}: the training stopped with the state "
            "before it; check that the data are finite, try a smaller --lr or --check_numerics"
        )

    def _update_averages(self, metrics, valid):
        values = {f"train/{k}": v for k, v in metrics.items() if k not in ("lr", *GRADIENT_STATISTICS)}
        for name, value in valid.items():
            if math.isnan(value):
                raise UserError(
                    f"valid/{name} is nan at step {self.step}: the training stopped, earlier snapshots stay; "
                    "check that the validation data are finite"
                )
            values[f"valid/{name}"] = value
        self.averages.update(values)
        self.bar.set_postfix(loss=f"{self.averages.averages()['train/loss']:.4g}", refresh=False)

    def _smoothed(self):
        averages = self.averages.averages()
        if not averages:  # a report comes before the first update
            averages = {f"train/{k}": v for k, v in self._look().items() if k not in GRADIENT_STATISTICS}
        return {**averages, "lr": self._look()["lr"]}

    def _report(self):
        if self.last_report.get("step") == self.step:
            return
        smoothed, now = self._smoothed(), time.monotonic()
        since, time_then = self.window if self.window[0] < self.step else self.start
        rate = (self.step - since) / max(now - time_then, 1e-9)
        self.window = (self.step, now)
        seconds = self.run_log.seconds + now - self.start[1]
        extra = {"seconds": round(seconds, 3), "examples_per_s": round(rate * self.batch_size, 3)}
        self.run_log.report(self.step, {**smoothed, **extra})
        self.last_report = {"step": self.step, **smoothed}
        valid = f", valid {smoothed['valid/loss']:.5g}" if "valid/loss" in smoothed else ""
        left = self.config.max_train_steps - self.step
        line = f"step {self.step}: loss {smoothed['train/loss']:.5g}{valid}, {rate:.3g} steps/s"
        line += f", about {time_left(left, rate)} left" if left else ""
        self.bar.clear()
        self.log(line)
        if not self.reported and self.chief:
            self._only_reporting("report page", lambda: self.report(self.folder))
        self.reported = True

    def _plot(self):
        self._look()
        if not self.chief:
            return
        begun = time.monotonic()
        if self.plot_batch is None:
            self.plot_batch = next(iter(self.data.valid(0)))
        self._only_reporting(
            "pictures",
            lambda: self.run_log.pictures(self.step, self.plots(self.model, self.plot_batch, self.step)),
        )
        self.plot_seconds += time.monotonic() - begun

    def _only_reporting(self, what, report):
        """Reports; if that fails, warns once and lets training continue."""
        try:
            report()
        except Exception as error:  # a plotting library, or an odd image, may raise anything
            if what not in self.failed_reports:
                reason = str(error).strip().split("\n")[0]
                if not isinstance(error, UserError | OSError):  # words of a library, for those who mend it
                    reason = f"drawing failed ({': '.join(filter(None, (type(error).__name__, reason)))})"
                self.log(f"warning: no {what} at step {self.step}, training continues: {reason}")
            self.failed_reports.add(what)

    def _snapshot(self):
        """Writes a snapshot and the report, unless this step has one already; returns its name."""
        self._look()
        if self.saved_step != self.step and self.chief:
            arrays = {name: variable.numpy() for name, variable in self.state.named.items()}
            write_snapshot(
                self.folder, self.step, {**arrays, **self.averages.state()}, self.config.snapshots_to_keep
            )
            self._only_reporting("report page", lambda: self.report(self.folder))
        self.saved_step = self.step
        self.snapshot_time = time.monotonic()
        return os.path.join(self.folder, f"model.ckpt-{self.step}")

    def _snapshot_for_all(self):
        """As `_snapshot`, but no worker returns, and ends, before it is written."""
        name = self._snapshot()
        self.agreement.wait_for_all()
        return name

    def _stop_for(self, signal_name):
        raise KeyboardInterrupt(
            f"{signal_name}: stopped after step {self.step}, which {self._snapshot_for_all()} holds; "
            "start the same command again to resume from there"
        )

    def _iterate(self, dataset):
        spec = dataset.element_spec
        rows = {name: tensor.shape[0] for name, tensor in spec.items()}
        if len(set(rows.values())) != 1 or None in rows.values():
            raise ValueError(f"the tensors of a batch must agree in a static number of examples, not {rows}")
        self.batch_size = next(iter(rows.values()))
        self.replicas.check_batch_size(self.batch_size)
        return self.replicas.iterate(dataset)
