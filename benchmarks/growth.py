"""Measures how time and memory of a training step grow with its sizes, and draws it.

    python -m benchmarks.growth --json=growth.json --plot=growth.png
    python -m benchmarks.growth --sweep=scae_parts,emorl_slots

A step's time is its processor time, over all cores, which other programs disturb less than the clock. Its
memory is the peak of its process beyond what it held once the model was built. An exponent p says that
something grows like amount^p between the two largest sizes, where an image's amount is its pixels; 1 is
linear growth.
"""

from __future__ import annotations

import json
from pathlib import Path

from absl import flags

from benchmarks.sweeps import SWEEPS, figure, measured, row
from discovery import UserError
from scripts import entry_point
from scripts.path_flags import define_path

FLAGS = flags.FLAGS

flags.DEFINE_list("sweep", list(SWEEPS), "What grows; by default everything.")
define_path("json", None, "Where to write the numbers.")
define_path("plot", None, "Where to write the picture.")
flags.DEFINE_float("seconds", 2.0, "How long each size is measured, after the first call.", lower_bound=0.0)


def main(_) -> None:
    """Measures, prints a table, and writes the numbers and the picture."""
    for name in FLAGS.sweep:
        if name not in SWEEPS:
            raise UserError(f"--sweep={name}: there is no such sweep; choose from {', '.join(SWEEPS)}")
    results = {}
    print("| sweep | sizes | ms of processor time | its exponent | MB | its exponent |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for name in FLAGS.sweep:
        results[name] = measured(SWEEPS[name], FLAGS.seconds)
        print(row(name, results[name]), flush=True)
    try:
        if FLAGS.json:
            Path(FLAGS.json).write_text(json.dumps(results, indent=2))
        if FLAGS.plot:
            from matplotlib.backends.backend_agg import FigureCanvasAgg

            FigureCanvasAgg(figure(results)).print_png(FLAGS.plot)
    except OSError as error:
        raise UserError(f"cannot write: {error}; choose another --json or --plot") from None


if __name__ == "__main__":
    entry_point.run(main)
