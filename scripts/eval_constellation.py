"""Scores a snapshot of a constellation model by how it groups the points of examples it has not seen.

    python -m scripts.eval_constellation --snapshot=checkpoints/constellation --n_examples=10000

The snapshot is a run's folder, for its newest one, or a prefix such as .../constellation/model.ckpt-10000.
Flags of the run are read from its flags.txt; those given here win.
"""

from absl import flags

from . import entry_point, evaluated_run, scae_flags
from .help_text import topic

FLAGS = flags.FLAGS

evaluated_run.define_flags()
scae_flags.define()
topic("Evaluation")
flags.DEFINE_integer("n_examples", 10_000, "How many fresh examples to score.", lower_bound=1)


def main(_) -> None:
    """Scores the model, prints the scores and writes JSON."""
    from stacked_capsules.data import load
    from stacked_capsules.evaluation.constellation_evaluation import evaluate_constellations

    run = evaluated_run.open_run(
        ("constellation",), scae_flags.make_model, lambda: load(scae_flags.data_config())
    )
    scores = evaluate_constellations(run.model, run.data.whole("valid"), FLAGS.n_examples, FLAGS.seed)
    print(f"{run.snapshot}, {scores['n_examples']:,} fresh examples")
    print(f"  segmentation accuracy     {scores['segmentation_accuracy']:.4f}")
    print(f"  one capsule for all would {scores['one_capsule_accuracy']:.4f}")
    print(f"  points of each capsule    {', '.join(f'{n:.2f}' for n in scores['points_per_capsule'])}")
    for path in evaluated_run.write_scores(run, "eval_constellation", scores):
        print(f"scores: {path}")


if __name__ == "__main__":
    entry_point.run(main, check=evaluated_run.check)
