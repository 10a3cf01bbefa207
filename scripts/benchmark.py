"""Measures how fast a case is, with its data in memory already.

    python -m scripts.benchmark --case=scae_mnist_train --json=train.json

One process measures one case, for its peak memory. The machine should be idle.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import statistics
import sys
import time
from typing import Any

import tensorflow as tf
from absl import flags

from protocols import UserError
from scripts import command_line
from scripts.benchmark_cases import CASES, Workload

FLAGS = flags.FLAGS

flags.DEFINE_enum("case", None, sorted(CASES), "What is measured.", required=True)
flags.DEFINE_string("json", None, "Where to write the numbers.")
flags.DEFINE_float("seconds", 20.0, "How long it is measured, after the first call.", lower_bound=0.0)

#: Calls before those that count: buffers grow and threads start.
_WARM_UP_CALLS = 3
_MIN_CALLS = 5


def main(_) -> None:
    """Measures the case, prints its numbers and writes them."""
    numbers = {"case": FLAGS.case, **measure(CASES[FLAGS.case](), FLAGS.seconds), **environment()}
    for name, value in numbers.items():
        print(f"{name:<16}{value}")
    if FLAGS.json:
        try:
            with open(FLAGS.json, "w") as file:
                json.dump(numbers, file, indent=2)
        except OSError as error:
            raise UserError(f"cannot write {FLAGS.json}: {error}; choose another --json") from None


def measure(workload: Workload, seconds: float) -> dict[str, float]:
    """Times a workload's calls; rates are of the median call."""
    first_call = timed(workload)
    for _ in range(_WARM_UP_CALLS):
        timed(workload)
    calls: list[float] = []
    while len(calls) < _MIN_CALLS or sum(calls) < seconds:
        calls.append(timed(workload))
    steps_per_s = workload.steps_per_call / statistics.median(calls)
    return {
        "steps_per_s": steps_per_s,
        "examples_per_s": steps_per_s * workload.batch_size,
        "batch_size": workload.batch_size,
        "calls": len(calls),
        "first_call_s": first_call,
        "peak_rss_mb": peak_rss_mb(),
    }


def timed(workload: Workload) -> float:
    """Returns how long one call takes, in seconds, until its results are there."""
    start = time.perf_counter()
    for tensor in tf.nest.flatten(workload.call()):
        tensor.numpy()
    return time.perf_counter() - start


def peak_rss_mb() -> float:
    """Returns the largest amount of memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def environment() -> dict[str, Any]:
    """Returns versions and threads."""
    packages = ("tensorflow", "keras", "numpy")
    return {
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
        # 0 in TensorFlow's settings stands for one for each core
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count(),
        "devices": [device.device_type for device in tf.config.list_physical_devices()],
    }


if __name__ == "__main__":
    command_line.run(main)
