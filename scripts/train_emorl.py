"""Trains EfficientMORL, the Slot Attention baseline or the VAE without slots.

Generated scenes:   python -m scripts.train_emorl --flagfile=configs/tetrominoes.flags
Stored scenes:      ... --data_path=tetrominoes.h5
Your own images:    python -m scripts.train_emorl --data_path=FOLDER --name=mine
Several replicas:   ... --strategy=mirrored --replicas=2
Several workers:    scripts/launch_local.sh 2 ... --strategy=multi_worker   (hosts: docs/distributed.md)
The same command again resumes from the last snapshot; --overwrite starts anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from discovery import UserError
from discovery.training.train_config import TrainConfig
from emorl.one_dnn import prefer_one_dnn

from . import emorl_flags, entry_point, training_flags, training_script
from .help_text import topic
from .option_flags import read_flags
from .path_flags import define_path, escaped, whole

if TYPE_CHECKING:
    from discovery import DataSource

FLAGS = flags.FLAGS

#: Settings that the original names differently.
_RENAMED = ("max_train_steps", "report_loss_steps", "summary_steps", "snapshot_steps")

prefer_one_dnn()
training_flags.define(leave_out=_RENAMED)
emorl_flags.define()
training_script.define_learning(emorl_flags.PACKAGE)
topic("Training")  # the original's training.*
flags.DEFINE_integer("iters", 500_000, "Number of training steps.", lower_bound=0)
flags.DEFINE_integer(
    "tensorboard_freq", 100, "Steps between reports and TensorBoard summaries.", lower_bound=1
)
flags.DEFINE_integer("checkpoint_freq", 25_000, "Steps between snapshots.", lower_bound=0)
flags.DEFINE_integer("num_workers", 8, "Threads that read and generate data.", lower_bound=1)
flags.DEFINE_string("mode", "train", "The split to train on; there is no other choice.")
flags.register_validator(
    "mode",
    lambda mode: mode == "train",
    message="training takes the train split, as test scenes are for evaluation: leave the flag out",
)
flags.DEFINE_boolean(
    "load_from_checkpoint",
    False,
    "A new run resumes from --checkpoint or, if that has only weights, begins with them at step 0; "
    "started again, it resumes from its own.",
)
define_path("checkpoint", "", "Prefix of a snapshot of another run, or that run's folder.")
define_path("weights_from", "", "The same, for a run that takes only its weights and begins at step 0.")
flags.DEFINE_string("run_suffix", "", "Appended to the run's name: --name=a --run_suffix=b is the run a-b.")
define_path("out_dir", "", "The parent of the run's folder: short for --logdir=OUT_DIR/{name}.", whole)
flags.DEFINE_boolean("tqdm", False, "Shows a progress bar, where standard error is a terminal.")
flags.DEFINE_integer(
    "DDP_port", 29500, "Not used: --strategy makes replicas, and TF_CONFIG describes several hosts."
)
# Reports show the metrics of their own step, as the original's do, and pictures of it.
FLAGS.set_default("ema", 0.0)
FLAGS.set_default("plot", True)

#: The flags of models and data.
described = emorl_flags


def train_config() -> TrainConfig:
    """Returns the settings that the flags give."""
    return read_flags(
        TrainConfig,
        max_train_steps=FLAGS.iters,
        report_loss_steps=FLAGS.tensorboard_freq,
        summary_steps=FLAGS.tensorboard_freq,
        run_updates_every=FLAGS.tensorboard_freq,
        snapshot_steps=FLAGS.checkpoint_freq,
    )


def check() -> None:
    """Raises a UserError for flags that can be found wrong without TensorFlow."""
    emorl_flags.check()
    train_config()
    training_script.learning_options()
    if FLAGS.load_from_checkpoint != bool(FLAGS.checkpoint):
        raise UserError(
            f"--load_from_checkpoint={FLAGS.load_from_checkpoint} --checkpoint={FLAGS.checkpoint}: "
            "give both, to begin with a snapshot of another run, or none"
        )
    if FLAGS.checkpoint and FLAGS.weights_from:
        raise UserError(f"--weights_from={FLAGS.weights_from}: give it or --checkpoint, not both")


def main(_) -> None:
    """Trains what the flags describe."""
    training_script.train_as_described(
        emorl_flags,
        train_config(),
        run_folder(),
        begin_with=FLAGS.checkpoint or FLAGS.weights_from,
        weights_alone=bool(FLAGS.weights_from),
        prepare=lambda data: with_threads(with_validation(data), FLAGS.num_workers),
        bar=FLAGS.tqdm,
    )


def run_folder() -> Path:
    """Returns the folder of the run, which the original's flags may set too."""
    from discovery.training.run_folder import folder_of_run

    logdir = f"{escaped(FLAGS.out_dir)}/{{name}}" if FLAGS.out_dir else FLAGS.logdir
    name = f"{FLAGS.name}-{FLAGS.run_suffix}" if FLAGS.run_suffix else FLAGS.name
    return folder_of_run(logdir, name)


def with_validation(data: DataSource) -> DataSource:
    """Lets reports look at training scenes where a file holds no others, as the published ones do."""
    try:
        data.valid(0)
    except UserError as error:
        print(f"warning: {error} Reports under valid/ are of training scenes.")
        return data._replace(valid=data.train)
    return data


def with_threads(data: DataSource, n: int) -> DataSource:
    """Gives each of the data's streams n threads of its own."""
    import tensorflow as tf

    options = tf.data.Options()
    options.threading.private_threadpool_size = n

    def on_threads(stream):
        return lambda start: stream(start).with_options(options)

    return data._replace(train=on_threads(data.train), valid=on_threads(data.valid))


if __name__ == "__main__":
    entry_point.run(main, check=check)
