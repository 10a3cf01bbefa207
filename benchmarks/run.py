"""Measures how fast cases are, with their data in memory already.

    python -m benchmarks.run --case=scae_mnist_train --json=train.json
    python -m benchmarks.run --case=all --json=all.json
    python -m benchmarks.run --case=all --compare=originals.json   (of benchmarks/originals/measure.py)
    python -m benchmarks.run --case=scae_mnist_train -- --batch_size=32 --n_part_caps=64

Arguments after `--` are flags of the training script, over those of the case's configuration. Each case
has a process of its own, for its peak memory. The machine should be idle.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks.cases import CASES, Workload, timed
from benchmarks.numbers import in_a_process_of_its_own, read_numbers
from discovery import UserError
from scripts import entry_point
from scripts.path_flags import define_path

FLAGS = flags.FLAGS

flags.DEFINE_string("case", None, f"What is measured: {', '.join(sorted(CASES))}; several, or all.")
flags.mark_flag_as_required("case")
define_path("json", None, "Where to write the numbers.")
define_path("compare", None, "Numbers of an earlier run; exit code 1 where a case is 10 % slower now.")
flags.DEFINE_float("seconds", 20.0, "How long it is measured, after the first call.", lower_bound=0.0)

#: Warm-up calls, which do not count: buffers grow and threads start.
_WARM_UP_CALLS = 3
_MIN_CALLS = 5
_REGRESSION = 0.9


def main(arguments: list[str]) -> None:
    """Measures the cases, prints a table and writes the numbers."""
    overrides = arguments[1:]
    cases = list(CASES) if FLAGS.case == "all" else FLAGS.case.split(",")
    for case in cases:
        if case not in CASES:
            raise UserError(f"--case={case}: there is no such case; choose from {', '.join(CASES)}, or all")
    earlier = read_numbers(FLAGS.compare) if FLAGS.compare else {}
    if len(cases) == 1:
        seconds = FLAGS.seconds  # the cases overwrite these flags with a configuration's
        path = FLAGS.json
        measured = measure(CASES[cases[0]](*overrides), seconds)
        numbers = {"case": cases[0], "flags": overrides, **measured, **environment()}
        results = {cases[0]: numbers}
    else:
        path = FLAGS.json
        results = numbers = {case: in_a_process_of_its_own(case, FLAGS.seconds, overrides) for case in cases}
    print(table(results, earlier))
    if path:
        try:
            Path(path).write_text(json.dumps(numbers, indent=2))
        except OSError as error:
            raise UserError(f"cannot write {path}: {error}; choose another --json") from None
    slower = [case for case in results if ratio(results, earlier, case) < _REGRESSION]
    if slower:
        raise UserError(f"slower than in {FLAGS.compare}: {', '.join(slower)}; see the table")


def measure(workload: Workload, seconds: float) -> dict[str, float]:
    """Times a workload's calls; rates are of the median call."""
    built = peak_rss_mb()
    first_call = timed(workload.call)
    for _ in range(_WARM_UP_CALLS):
        timed(workload.call)
    calls: list[float] = []
    cpu = time.process_time()
    while len(calls) < _MIN_CALLS or sum(calls) < seconds:
        calls.append(timed(workload.call))
    cpu_s = (time.process_time() - cpu) / len(calls) / workload.steps_per_call
    steps_per_s = workload.steps_per_call / statistics.median(calls)
    return {
        "steps_per_s": steps_per_s,
        "examples_per_s": steps_per_s * workload.batch_size,
        "batch_size": workload.batch_size,
        "calls": len(calls),
        "cpu_s_per_step": cpu_s,
        "first_call_s": first_call,
        "built_rss_mb": built,
        "peak_rss_mb": peak_rss_mb(),
    }


def peak_rss_mb() -> float:
    """Returns the largest amount of memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def ratio(results: dict[str, Any], earlier: dict[str, Any], case: str) -> float:
    """Returns a case's rate over its earlier one with the same flags; infinite where there is none."""
    if case not in earlier or results[case].get("flags", []) != earlier[case].get("flags", []):
        return float("inf")
    return results[case]["examples_per_s"] / earlier[case]["examples_per_s"]


def table(results: dict[str, Any], earlier: dict[str, Any]) -> str:
    """Returns a Markdown table of cases, beside earlier numbers (the originals', say) where given."""
    head = ["case", "examples/s", "peak MB", "first call, s"]
    rows = [[*head, "over earlier"] if earlier else head]
    for case, numbers in results.items():
        row = [
            " ".join([case, *numbers.get("flags", [])]),
            f"{numbers['examples_per_s']:.4g}",
            f"{numbers['peak_rss_mb']:.0f}",
            f"{numbers['first_call_s']:.1f}",
        ]
        if earlier:
            over = ratio(results, earlier, case)
            row.append(f"{over:.2f}" if math.isfinite(over) else "")
        rows.append(row)
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def environment() -> dict[str, Any]:
    """Returns versions and threads."""
    import tensorflow as tf

    packages = ("tensorflow", "keras", "numpy")
    return {
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
        # 0 in TensorFlow's settings stands for one for each core
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count(),
        "devices": [device.device_type for device in tf.config.list_physical_devices()],
    }


if __name__ == "__main__":
    entry_point.run(main, takes_arguments=True)
