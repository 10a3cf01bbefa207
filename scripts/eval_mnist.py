"""Scores a snapshot of an image model on the whole of both sets.

    python -m scripts.eval_mnist --snapshot=checkpoints/mnist --json=scores.json

The snapshot is a run's folder, for its newest one, or a prefix such as checkpoints/mnist/model.ckpt-300000.
Flags of the run are read from its flags.txt; those given here win.

--variant shifts the validation images: `transfer` then scores them with the clusters and classes of training
images as they are, and `refit` with clusters of their own.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery import UserError
from stacked_capsules.data import DataConfig

from . import entry_point, evaluated_run, scae_flags
from .help_text import topic
from .option_flags import define_flag

if TYPE_CHECKING:
    import numpy as np

FLAGS = flags.FLAGS

evaluated_run.define_flags()
scae_flags.define()
topic("Evaluation")
define_flag(DataConfig, "variant")
flags.DEFINE_string(
    "tsne_figure_name", "tsne.png", "Name of the t-SNE picture in the folder of results; empty: none."
)


def main(_) -> None:
    """Scores the model, prints two tables, writes JSON and the picture."""
    from stacked_capsules.evaluation.image_evaluation import evaluate_images

    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    run = evaluated_run.open_run(("scae",), scae_flags.make_model, scae_flags.load_data)
    n_classes = scae_flags.data_config().n_classes
    scores, collected = evaluate_images(run.model, run.data, n_classes, FLAGS.seed)
    if run.data.classes:
        scores["classes"] = list(run.data.classes)
    print(f"{run.snapshot} on {FLAGS.dataset}")
    print("\n".join(score_lines(scores)))
    if FLAGS.tsne_figure_name:
        name = Path(FLAGS.tsne_figure_name)
        path = run.results / f"{name.stem}{evaluated_run.mark(run.changed)}{name.suffix}"
        scores["tsne_picture"] = draw_tsne(collected["valid"], path)
    for path in evaluated_run.write_scores(run, "eval_mnist", scores):
        print(f"scores: {path}")


def draw_tsne(collected: dict[str, np.ndarray], path: Path) -> str | None:
    """Draws the posterior presences of a set; returns the picture's path, None where there are too few.

    Raises:
        UserError: the picture cannot be written.
    """
    from PIL import Image

    from stacked_capsules.plots import tsne_plot

    try:
        picture = tsne_plot(collected["posterior"], collected.get("label"), FLAGS.seed)
    except UserError as error:  # the scores are of use without it
        print(f"warning: no t-SNE picture: {error}")
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {error}; choose another --tsne_figure_name") from None
    print(f"t-SNE picture: {path}")
    return str(path)


def score_lines(scores: dict[str, Any]) -> list[str]:
    """Formats the scores of `evaluate_images` as two tables."""
    from stacked_capsules.evaluation.image_evaluation import BASELINE, FEATURES, SPLITS

    n_examples = scores["n_examples"]
    header = "".join(f"{f'{split} ({n_examples[split]:,})':>18}" for split in SPLITS)
    lines = [f"{'Accuracy of linear probes':<34}{header}"]
    if scores["linear"] is None:
        lines.append("  none: the data have no labels")
    else:
        lines += [table_line(f"{feature} presences", scores["linear"][feature]) for feature in FEATURES]
    lines.append(f"{'Accuracy of clusters':<34}{header}")
    if scores["unsupervised"] is None:
        lines.append("  none: the data have no labels")
    else:
        lines += [
            table_line(f"{feature} presences, {protocol}", scores["unsupervised"][protocol][feature])
            for protocol in scores["unsupervised"]
            for feature in FEATURES
        ]
        unsupervised = scores["unsupervised"]
        lines += [table_line(f"{BASELINE}, {name}", unsupervised[name][BASELINE]) for name in unsupervised]
        lines.append(
            "  refit: clusters of the set that is scored; transfer: clusters and classes of the training set"
        )
        n_pixel_examples = scores["n_pixel_examples"]
        if n_pixel_examples != n_examples:
            counts = ", ".join(f"{n_pixel_examples[split]:,} {split}" for split in SPLITS)
            lines.append(f"  pixels: k-means on the images themselves, the first {counts}")
    return lines


def table_line(title: str, accuracies: dict[str, float | None]) -> str:
    """Formats one accuracy for each set."""
    from stacked_capsules.evaluation.image_evaluation import SPLITS

    values = ["none" if accuracies[split] is None else f"{accuracies[split]:.4f}" for split in SPLITS]
    return f"  {title:<32}" + "".join(f"{value:>18}" for value in values)


if __name__ == "__main__":
    entry_point.run(main, check=evaluated_run.check)
