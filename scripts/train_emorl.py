"""Trains EfficientMORL or the Slot Attention baseline.

Generated scenes:   python -m scripts.train_emorl --flagfile=configs/tetrominoes.flags
Stored scenes:      ... --data_path=tetrominoes.h5
Several replicas:   ... --strategy=mirrored --replicas=2
The same command again goes on from the last snapshot; --overwrite starts anew.
"""

from __future__ import annotations

import tensorflow as tf
from absl import flags

from emorl.data import load
from emorl.plots import emorl_plots
from protocols import DataSource, UserError
from scripts import command_line, emorl_flags, training_flags
from scripts.refinement_curriculum import refinement_curriculum
from training.gradient_clipping import Clipping
from training.loop import train
from training.optimizers import Adam
from training.run_folder import prepare_run_folder
from training.run_lock import run_lock
from training.schedules import Constant, WarmUpAndDecay

FLAGS = flags.FLAGS

training_flags.define()
emorl_flags.define()
# The original's training.*
flags.DEFINE_integer("iters", 500_000, "Number of training steps.")
flags.DEFINE_list(
    "refinement_curriculum", ["-1:3", "100000:1", "200000:1"], "Refinement steps from a training step on."
)
flags.DEFINE_float("lr", 3e-4, "Learning rate of Adam.")
flags.DEFINE_boolean("use_scheduler", False, "Warms the learning rate up and lets it decay.")
flags.DEFINE_integer("warmup", 10_000, "Steps of the warm-up.", lower_bound=1)
flags.DEFINE_float("decay_rate", 0.5, "Factor of the learning rate after --decay_steps.")
flags.DEFINE_integer("decay_steps", 100_000, "Steps over which it decays by that factor.", lower_bound=1)
flags.DEFINE_boolean("clip_grad_norm", True, "Clips the gradients' global norm to 5.")
flags.DEFINE_integer(
    "tensorboard_freq", 100, "Steps between reports and TensorBoard summaries.", lower_bound=1
)
flags.DEFINE_integer("checkpoint_freq", 25_000, "Steps between snapshots.", lower_bound=0)
flags.DEFINE_integer("num_workers", 8, "Threads that read and generate data.", lower_bound=1)
flags.DEFINE_enum("mode", "train", ["train"], "The split to train on; test scenes are for evaluation.")
# Reports show the metrics of their step, as the original's, and pictures of it.
FLAGS.set_default("ema", 0.0)
FLAGS.set_default("plot", True)


def main(_) -> None:
    """Reads flags, then data, then builds the model: mistakes show before the run's folder is touched."""
    config = training_flags.train_config(
        max_train_steps=FLAGS.iters,
        report_loss_steps=FLAGS.tensorboard_freq,
        summary_steps=FLAGS.tensorboard_freq,
        run_updates_every=FLAGS.tensorboard_freq,
        snapshot_steps=FLAGS.checkpoint_freq,
    )
    folder = training_flags.run_folder()
    command_line.make_deterministic(FLAGS.deterministic)
    replicas = training_flags.replicas(FLAGS.batch_size)
    iterations_at = refinement_curriculum(FLAGS.refinement_curriculum)
    data = with_validation(load(emorl_flags.data_config(factors=False, masks=False)))
    data = with_threads(data, FLAGS.num_workers)
    with replicas.scope():
        model = emorl_flags.make_model(FLAGS.seed)

    run_flags = training_flags.as_text()
    with run_lock(folder):
        prepare_run_folder(folder, run_flags, emorl_flags.architecture_flags(), overwrite=config.overwrite)
        train(
            model,
            data,
            config,
            folder,
            optimizer=Adam(),
            schedule=WarmUpAndDecay(FLAGS.lr, FLAGS.warmup, FLAGS.decay_rate, FLAGS.decay_steps)
            if FLAGS.use_scheduler
            else Constant(FLAGS.lr),
            # As torch clips: the norm itself is the bound, and the margin keeps the quotient finite.
            clipping=Clipping(
                norm=5.0 if FLAGS.clip_grad_norm else 0.0, norm_per_parameter=False, norm_margin=1e-6
            ),
            replicas=replicas,
            options_at=(lambda step: {"refinement_iters": iterations_at(step)})
            if FLAGS.model == "EfficientMORL"
            else (lambda step: {}),
            plots=lambda model, batch, step: emorl_plots(model, batch),
            flags=run_flags,
        )


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
    options = tf.data.Options()
    options.threading.private_threadpool_size = n

    def on_threads(stream):
        return lambda start: stream(start).with_options(options)

    return data._replace(train=on_threads(data.train), valid=on_threads(data.valid))


if __name__ == "__main__":
    command_line.run(main)
