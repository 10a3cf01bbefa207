"""Trains the toy, in a process that ends as those of the training scripts do."""

from pathlib import Path

import numpy as np
from absl import flags

from discovery.distributed.replicas import make_replicas
from scripts import entry_point
from tests.discovery.training.test_loop import run
from tests.discovery.training.toy_model import toy_data

FLAGS = flags.FLAGS

flags.DEFINE_string("folder", None, "Of the run.", required=True)
flags.DEFINE_integer("steps", 1000, "Number of training steps.")
flags.DEFINE_integer("snapshot_steps", 0, "Steps between snapshots.")
flags.DEFINE_integer("batch_size", 8, "Rows of all replicas.")
flags.DEFINE_string("strategy", "single", "How replicas are made.")
flags.DEFINE_string("weights", None, "Where to write this process's weights at the end.")


def main(_):
    model, _ = run(
        Path(FLAGS.folder),
        data=toy_data(FLAGS.batch_size),
        replicas=make_replicas(FLAGS.strategy, join_secs=60),
        max_train_steps=FLAGS.steps,
        snapshot_steps=FLAGS.snapshot_steps,
        log=print,
    )
    if FLAGS.weights:
        np.savez(FLAGS.weights, **{w.path.replace("/", "."): w.numpy() for w in model.weights})


if __name__ == "__main__":
    entry_point.run(main)
