"""Trains the toy, in a process that ends as those of the training scripts do."""

from pathlib import Path

from absl import flags

from scripts import command_line
from tests.training.test_loop import run

FLAGS = flags.FLAGS

flags.DEFINE_string("folder", None, "Of the run.", required=True)
flags.DEFINE_integer("steps", 1000, "Number of training steps.")
flags.DEFINE_integer("snapshot_steps", 0, "Steps between snapshots.")


def main(_):
    run(Path(FLAGS.folder), max_train_steps=FLAGS.steps, snapshot_steps=FLAGS.snapshot_steps, log=print)


if __name__ == "__main__":
    command_line.run(main)
