"""Shows what the time of a step is spent on.

    python -m benchmarks.profile --case=scae_mnist_train
    python -m benchmarks.profile --case=emorl_tetrominoes_train --n_parts=30 -- --batch_size=8

Arguments after `--` are flags of the training script. Times are those of TensorFlow's profiler, of a step
and summed over threads. What XLA compiled has one row: its operations do not name parts of the model.
"""

from __future__ import annotations

import collections
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from absl import flags

from benchmarks.cases import CASES, timed
from scripts import entry_point

FLAGS = flags.FLAGS

flags.DEFINE_enum("case", None, list(CASES), "What is profiled.")
flags.mark_flag_as_required("case")
flags.DEFINE_integer("n_calls", 5, "Calls that are profiled.", lower_bound=1)
flags.DEFINE_integer("n_parts", 15, "Rows of the table.", lower_bound=1)

_WARM_UP_CALLS = 3
_COMPILED = "CpuExecutable::ExecuteAsyncOnStream"
#: What loops and gradients put into the names of a model's parts.
_PREFIX = re.compile(r"\b(while/body/_\d+|while|gradient_tape)/")


class Operation(NamedTuple):
    """One operation that was executed.

    Attributes:
        part: of the model, or the operation's kind.
        is_gradient: whether it belongs to a backward pass.
        ms: how long it took.
    """

    part: str
    is_gradient: bool
    ms: float


def main(arguments: list[str]) -> None:
    """Profiles a case and prints its most expensive parts."""
    import tensorflow as tf

    n_calls, n_parts = FLAGS.n_calls, FLAGS.n_parts  # the cases overwrite these flags
    workload = CASES[FLAGS.case](*arguments[1:])
    for _ in range(_WARM_UP_CALLS):
        timed(workload.call)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(n_calls):
            timed(workload.call)
        tf.profiler.experimental.stop()
        found = list(operations(next(Path(folder).rglob("*.xplane.pb"))))
    n_steps = n_calls * workload.steps_per_call
    totals = {is_gradient: collections.Counter() for is_gradient in (False, True)}
    for operation in found:
        totals[operation.is_gradient][operation.part] += operation.ms / n_steps
    both = totals[False] + totals[True]
    print("| part | ms forward | ms backward |")
    print("| --- | --- | --- |")
    shown = [part for part, _ in both.most_common(n_parts)]
    for part in shown:
        print(f"| {part} | {totals[False][part]:.1f} | {totals[True][part]:.1f} |")
    sums = [sum(of.values()) for of in totals.values()]
    others = [total - sum(of[p] for p in shown) for total, of in zip(sums, totals.values(), strict=True)]
    print(f"| {len(both) - len(shown)} others | {others[0]:.1f} | {others[1]:.1f} |")
    print(f"| sum | {sums[0]:.1f} | {sums[1]:.1f} |")


def operations(path: Path) -> Iterator[Operation]:
    """Reads what TensorFlow's profiler wrote: an XSpace."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # only here, as the import is slow

    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    for plane in space.planes:
        names = {number: of_events.name for number, of_events in plane.event_metadata.items()}
        for event in (event for line in plane.lines for event in line.events):
            ms, name = event.duration_ps / 1e9, names[event.metadata_id]
            if name == _COMPILED:
                yield Operation("compiled by XLA", False, ms)
            scope, colon, kind = name.rpartition(":")
            if colon and "::" not in name and re.fullmatch(r"\w+", kind):
                yield Operation(_part(scope, kind), "gradient_tape/" in scope, ms)


def _part(scope, kind):
    """model_1/encoder_1/conv_1/Relu -> encoder/conv; what is outside of layers goes by its kind."""
    layers = _PREFIX.sub("", scope).split("/")[1:-1]
    return "/".join(re.sub(r"_\d+$", "", layer) for layer in layers[:2]) or kind


if __name__ == "__main__":
    entry_point.run(main, takes_arguments=True)
