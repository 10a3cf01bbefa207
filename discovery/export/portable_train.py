"""Trains what `scripts.export_step` has written; needs jax, numpy and flatbuffers, and nothing else.

    python portable_train.py FOLDER --steps=10000 --out=RUN

FOLDER is the exported one. RUN (by default FOLDER/run) gets `step-<number>.npz` and `metrics.jsonl`. The same
command again resumes from the newest snapshot.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

if __package__:
    from discovery.export import portable_files as files
else:  # beside it, in an exported folder
    sys.path.insert(0, str(Path(__file__).parent))
    import portable_files as files
UserError = files.UserError


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UserError(message)


def main(arguments: Sequence[str]) -> int:
    """Trains; returns the exit code: 0, 1 after a user's mistake, 130 after a signal."""
    begun = time.monotonic()
    try:
        options = parsed(arguments)
        return train(options, begun + options.max_seconds if options.max_seconds else None)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = _Parser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder that scripts.export_step has written")
    parser.add_argument("--steps", type=int, help="train up to this step; by default as far as exported")
    parser.add_argument("--out", type=Path, help="folder of snapshots; by default FOLDER/run")
    parser.add_argument("--data", type=Path, help="the data; by default FOLDER/data.npz")
    parser.add_argument("--report_steps", type=int, default=100, help="steps between reports")
    parser.add_argument(
        "--snapshot_steps", type=int, default=0, help="steps between snapshots; 0: one at the end"
    )
    parser.add_argument(
        "--part_mb", type=float, default=0.0, help="most megabytes per snapshot file; 0: always one file"
    )
    parser.add_argument(
        "--max_seconds",
        type=float,
        default=0.0,
        help="stops, with a snapshot, before this time is over; 0: never",
    )
    parser.add_argument("--keep", type=int, default=5, help="number of newest snapshots to keep; 0: all")
    options = parser.parse_args(arguments)
    options.out = options.out or options.folder / "run"
    options.data = options.data or options.folder / "data.npz"
    return options


def train(options: argparse.Namespace, end: float | None = None) -> int:
    """Trains up to the step that is asked for, or until `time.monotonic` is `end`; returns the exit code."""
    manifest = files.read_manifest(options.folder)
    last = manifest["last_step"] if options.steps is None else options.steps
    at_least = (("steps", last, 0), ("report_steps", options.report_steps, 1))
    at_least += (("snapshot_steps", options.snapshot_steps, 0), ("keep", options.keep, 0))
    at_least += (("max_seconds", options.max_seconds, 0), ("part_mb", options.part_mb, 0))
    for name, value, least in at_least:
        if not value >= least:  # NaN, too, is refused
            raise UserError(f"--{name}={value}: give at least {least}")
    if last > manifest["last_step"]:
        reach = f"{options.folder} was exported for {manifest['last_step']} steps"
        raise UserError(f"--steps={last}: {reach}; export it for more")
    state = begin(options, manifest)
    step = int(state[-1])
    if step >= last:
        print(f"{options.out}: has {step} training steps already; no more than {last} are requested")
        return 0
    data = on_device(files.read_arrays(options.data, manifest["data"]))
    run = Run(options, manifest, data, step, on_device(state))
    with received_signals() as signals:
        run.to(last, signals, end)
    if run.step < last:
        why = signals[0] if signals else f"--max_seconds={options.max_seconds:g}"
        print(f"{why}: stopped after step {run.step}; the same command resumes from there")
    return 130 if signals and run.step < last else 0


class Run:
    """The programs, compiled when they are first needed, and what is reported about them."""

    def __init__(
        self, options: argparse.Namespace, manifest: dict[str, Any], data: list, step: int, state: list
    ):
        self.options, self.manifest, self.data = options, manifest, data
        self.step = self.saved = step  # steps taken, and those of the newest snapshot
        self.state = state  # donated to each call, and replaced by what it returns
        self.compiled = {}
        self.metrics = []

    def to(self, last: int, signals: Sequence[str], end: float | None) -> None:
        """Takes steps up to the last one, until a signal comes, or as long as another call fits in."""
        rate_from, seconds, longest = self.step, 0.0, 0.0
        while self.step < last and not signals:
            if end is not None and longest and time.monotonic() + longest > end:
                break
            call, end_of_phase = self.program(self.step)
            entered = time.monotonic()
            n = min(self.manifest["inner_steps"], last - self.step, end_of_phase - self.step)
            if self.options.snapshot_steps > 0:
                n = min(n, self.options.snapshot_steps - self.step % self.options.snapshot_steps)
            begun = time.perf_counter()
            *self.state, taken, rows = call(self.state, np.int32(n), self.data)
            taken, rows = int(taken), np.asarray(rows)
            seconds += time.perf_counter() - begun
            for row in range(taken):
                self.step += 1
                if self.step % self.options.report_steps == 0 or self.step == last:
                    done = self.step - rate_from
                    part = seconds * done / (done + taken - 1 - row)
                    self.report(rows[row], done / max(part, 1e-9))
                    rate_from, seconds = self.step, seconds - part
            if taken < n:
                self.stop_at_fault(rows[taken])
            if self.options.snapshot_steps > 0 and self.step % self.options.snapshot_steps == 0:
                self.snapshot()
            longest = max(longest, time.monotonic() - entered)
        self.snapshot()

    def program(self, step: int) -> tuple[Any, int]:
        """Returns the program of a step, and the step with which the next one begins."""
        programs = self.manifest["programs"]
        place = max(i for i, program in enumerate(programs) if program["first_step"] <= step)
        name, self.metrics = programs[place]["file"], programs[place]["metrics"]
        if name not in self.compiled:
            self.compiled = {name: compiled(self.options.folder, programs[place], self.state, self.data)}
        end = programs[place + 1]["first_step"] if place + 1 < len(programs) else self.manifest["last_step"]
        return self.compiled[name], end

    def report(self, row: np.ndarray, rate: float) -> None:
        """Prints a line, and appends one to `metrics.jsonl`."""
        metrics = dict(zip(self.metrics, row.tolist(), strict=True))
        line = json.dumps({"step": self.step, **metrics, "steps_per_s": round(rate, 3)})
        path = self.options.out / "metrics.jsonl"
        with files.writing(path), open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(f"step {self.step}: loss {metrics['loss']:.5g}, {rate:.3g} steps/s", flush=True)

    def stop_at_fault(self, row: np.ndarray) -> None:
        """Writes the last good state, and says what went wrong after it."""
        metrics = dict(zip(self.metrics, row.tolist(), strict=True))
        wrong = [name for name in ("loss", *metrics) if not np.isfinite(metrics[name])]
        name = wrong[0] if wrong else "grad_global_norm"
        self.snapshot()
        raise UserError(
            f"{name} is {metrics[name]} at step {self.step + 1}: the training stopped with the state before"
        )

    def snapshot(self) -> None:
        """Writes the state, unless it is written already."""
        if self.saved != self.step:
            names = [entry["name"] for entry in self.manifest["state"]]
            arrays = {n: np.asarray(v) for n, v in zip(names, self.state, strict=True)}
            options, part_size = self.options, int(self.options.part_mb * 1e6)
            files.write_snapshot(
                options.out, self.step, arrays, self.manifest["flags"], options.keep, part_size
            )
        self.saved = self.step


def compiled(folder: Path, program: dict[str, Any], state: list, data: list) -> Any:
    """Returns the compiled program: (state, number of steps, data) -> new state, steps taken, metrics."""
    path = folder / program["file"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; export the step again") from None
    if hashlib.sha256(content).hexdigest() != program["sha256"]:
        raise UserError(f"{path} is damaged: its checksum is wrong; export the step again")
    try:
        exported = export.deserialize(bytearray(content))
    except ImportError as error:
        raise UserError(
            f"jax cannot read {path}: {files.first_line(error)}; pip install flatbuffers"
        ) from None
    except Exception as error:  # another version of jax may raise anything
        raise UserError(
            f"{path} cannot be read by jax {jax.__version__} ({files.first_line(error)})"
        ) from None
    platform = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    if platform not in exported.platforms:
        known = ", ".join(exported.platforms)
        raise UserError(
            f"{path} was exported for {known}, and this machine has {platform}: choose with JAX_PLATFORMS, "
            "or export it for that too"
        )

    def call(state, n, data):
        return exported.call(*state, n, *data)

    begun = time.perf_counter()
    steps = jax.jit(call, donate_argnums=0).lower(state, np.int32(0), data).compile()
    print(f"{path}: compiled for {platform} in {time.perf_counter() - begun:.1f} s", flush=True)
    return steps


def begin(options: argparse.Namespace, manifest: dict[str, Any]) -> list[np.ndarray]:
    """Returns the state of the newest readable snapshot, or the first one; forgets reports of later steps."""
    state = newest(options, manifest)
    reports = options.out / "metrics.jsonl"
    with files.writing(reports):
        if reports.exists():
            lines = reports.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= state[-1]]
            reports.write_text("".join(kept), encoding="utf-8")
    return state


def newest(options: argparse.Namespace, manifest: dict[str, Any]) -> list[np.ndarray]:
    """Returns the state of the newest readable snapshot, or the first one."""
    with files.writing(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
        for path in options.out.glob("*.unfinished"):
            path.unlink()
    damaged = {}
    for path in reversed(files.snapshots(options.out)):
        try:
            state = files.read_arrays(path, manifest["state"])
        except files.DamagedError as error:
            damaged[path] = error
            continue
        for other, error in damaged.items():
            print(f"warning: {error}; {path} is used instead", file=sys.stderr)
            with files.writing(other):
                for file in files.files_of(other):
                    os.replace(file, f"{file}.damaged")
        print(f"{options.out}: resumes from step {int(state[-1])}")
        return state
    if damaged:
        raise next(iter(damaged.values()))
    return files.read_arrays(options.folder / "initial.npz", manifest["state"])


def on_device(arrays: Sequence[np.ndarray]) -> list[jax.Array]:
    """Puts arrays on the device."""
    return [jax.device_put(array) for array in arrays]


@contextmanager
def received_signals() -> Iterator[list[str]]:
    """Lists SIGINT and SIGTERM, which end nothing within it."""
    received = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(n, lambda n, _: received.append(signal.Signals(n).name)) for n in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
