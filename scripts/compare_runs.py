"""Puts several runs on one page: curves on common axes, flags that differ, last metrics, scores.

    python -m scripts.compare_runs checkpoints/a checkpoints/b --out=compare.html
    python -m scripts.compare_runs checkpoints/a checkpoints/b --metric=loss --over=minutes --out=loss.svg

The page is one file that needs no network; with --metric, a picture of one metric for a document. Curves show
validation where the run has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from discovery import UserError

from . import entry_point
from .path_flags import define_path

FLAGS = flags.FLAGS

define_path("out", "compare.html", "Where to write the page, or the picture.")
flags.DEFINE_string("metric", None, "Draw this metric of metrics.jsonl alone, as an SVG picture.")
flags.DEFINE_enum("over", "steps", ["steps", "minutes"], "What --metric is drawn over.")


def main(arguments: Sequence[str]) -> None:
    """Reads the runs and writes the page."""
    from discovery.reports.comparison_page import comparison_page, comparison_picture, read_runs
    from discovery.whole_files import save_text

    runs = read_runs([Path(argument) for argument in arguments[1:]])
    text = comparison_picture(runs, FLAGS.metric, FLAGS.over) if FLAGS.metric else comparison_page(runs)
    path = Path(FLAGS.out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_text(path, text)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; choose another --out") from None
    print(f"{len(runs)} runs: {path}")


if __name__ == "__main__":
    entry_point.run(main, takes_arguments=True)
