"""Measures whether input keeps up: step rates with a training's own pipeline, and with data in memory.

    python -m benchmarks.input --case=scae_mnist_train -- --data_dir=FOLDER_OF_MNIST_NPZ
    python -m benchmarks.input --case=emorl_tetrominoes_train
    python -m benchmarks.input --case=emorl_tetrominoes_train -- --data_path=tetrominoes.h5

Arguments after `--` are flags of the training script. Both sides take turns, so that the machine is the
same for both.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from absl import flags

from benchmarks.cases import CASES, timed
from scripts import entry_point

FLAGS = flags.FLAGS

TRAINING = [name for name in CASES if name.endswith("_train")]
flags.DEFINE_enum("case", None, TRAINING, "What is trained.")
flags.mark_flag_as_required("case")
flags.DEFINE_integer("turns", 10, "How often both sides are measured.", lower_bound=1)
flags.DEFINE_float("seconds", 4.0, "How long a turn takes at least.", lower_bound=0.0)

_WARM_UP_CALLS = 3


def main(arguments: list[str]) -> None:
    """Measures both sides in turns and prints their rates."""
    case, turns, seconds = FLAGS.case, FLAGS.turns, FLAGS.seconds  # the cases overwrite these flags
    workload = CASES[case](*arguments[1:])
    calls = {"memory": workload.call, "pipeline": workload.on_pipeline()}
    for call in calls.values():
        for _ in range(_WARM_UP_CALLS):
            timed(call)
    rates: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            rates[name].append(rate(call, seconds) * workload.steps_per_call)
    ratios = [p / m for p, m in zip(rates["pipeline"], rates["memory"], strict=True)]
    medians = ", ".join(f"{name} {statistics.median(of):.3g} steps/s" for name, of in rates.items())
    print(f"{case} {' '.join(arguments[1:])}: {medians}, median ratio {statistics.median(ratios):.3f}")


def rate(call: Callable[[], Any], seconds: float) -> float:
    """Returns calls per second, waiting for each of them."""
    calls = [timed(call)]
    while sum(calls) < seconds:
        calls.append(timed(call))
    return len(calls) / sum(calls)


if __name__ == "__main__":
    entry_point.run(main, takes_arguments=True)
