"""Trains EfficientMORL or the Slot Attention baseline.

Generated scenes:   python -m scripts.train_emorl --flagfile=configs/tetrominoes.flags
Stored scenes:      ... --data_path=tetrominoes.h5
Your own images:    python -m scripts.train_emorl --data_path=FOLDER --name=mine
Several replicas:   ... --strategy=mirrored --replicas=2
Several workers:    scripts/launch_local.sh 2 ... --strategy=multi_worker   (hosts: docs/distributed.md)
The same command again goes on from the last snapshot; --overwrite starts anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from discovery import UserError
from discovery.training.train_config import TrainConfig
from emorl.refinement_curriculum import refinement_curriculum

from . import emorl_flags, entry_point, training_flags
from .help_text import topic

if TYPE_CHECKING:
    from discovery import DataSource, TrainableModel
    from discovery.distributed.replicas import Replicas
    from discovery.training.optimization import Optimization

FLAGS = flags.FLAGS

training_flags.define()
emorl_flags.define()
topic("Training")  # the original's training.*
flags.DEFINE_integer("iters", 500_000, "Number of training steps.", lower_bound=0)
flags.DEFINE_list(
    "refinement_curriculum", ["-1:3", "100000:1", "200000:1"], "Refinement steps from a training step on."
)
flags.DEFINE_float("lr", 3e-4, "Learning rate of Adam.", lower_bound=0.0)
flags.DEFINE_boolean("use_scheduler", False, "Warms the learning rate up and lets it decay.")
flags.DEFINE_integer("warmup", 10_000, "Steps of the warm-up.", lower_bound=1)
flags.DEFINE_float("decay_rate", 0.5, "Factor of the learning rate after --decay_steps.", lower_bound=0.0)
flags.DEFINE_integer("decay_steps", 100_000, "Steps over which it decays by that factor.", lower_bound=1)
flags.DEFINE_boolean("clip_grad_norm", True, "Clips the gradients' global norm to 5.")
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
    "A new run goes on from --checkpoint, or, where that has weights alone, begins with them at step 0; "
    "started again, it resumes from its own.",
)
flags.DEFINE_string("checkpoint", "", "Prefix of a snapshot of another run, or that run's folder.")
flags.DEFINE_string(
    "weights_from", "", "The same, for a run that takes its weights alone and begins at step 0."
)
flags.DEFINE_string("run_suffix", "", "Appended to the run's name: --name=a --run_suffix=b is the run a-b.")
flags.DEFINE_string("out_dir", "", "The folder that holds the run's: short for --logdir=OUT_DIR/{name}.")
flags.DEFINE_boolean("tqdm", False, "Shows a progress bar, where standard error is a terminal.")
flags.DEFINE_integer(
    "DDP_port", 29500, "Not used: --strategy makes replicas; of several hosts, TF_CONFIG does."
)
# Reports show the metrics of their step, as the original's, and pictures of it.
FLAGS.set_default("ema", 0.0)
FLAGS.set_default("plot", True)


def check() -> None:
    """Raises a UserError for flags of which none needs TensorFlow to be found wrong."""
    emorl_flags.check()
    refinement_curriculum(FLAGS.refinement_curriculum)


def main(_) -> None:
    """Reads flags, then data, then builds the model: mistakes show before the run's folder is touched."""
    from discovery.training.loop import train
    from emorl.plots import emorl_plots

    config = train_config()
    folder = run_folder()
    if FLAGS.load_from_checkpoint != bool(FLAGS.checkpoint):
        raise UserError(
            f"--load_from_checkpoint={FLAGS.load_from_checkpoint} --checkpoint={FLAGS.checkpoint}: "
            "give both, to begin with a snapshot of another run, or none"
        )
    if FLAGS.checkpoint and FLAGS.weights_from:
        raise UserError(f"--weights_from={FLAGS.weights_from}: give it or --checkpoint, not both")
    begin_with = FLAGS.checkpoint or FLAGS.weights_from
    entry_point.make_deterministic(FLAGS.deterministic)
    replicas = training_flags.replicas(FLAGS.batch_size)
    model, data, steps = recipe(config, replicas)
    data = with_threads(with_validation(data), FLAGS.num_workers)

    training_flags.warn_of_slow_precision()
    training_flags.warn_of_late_starts(config.max_train_steps, "cosine_from")
    shaping = emorl_flags.architecture_flags()
    with training_flags.prepared_folder(folder, replicas, shaping, model, begin_with):
        train(
            model,
            data,
            config,
            folder,
            **steps._asdict(),
            replicas=replicas,
            plots=lambda model, batch, step: emorl_plots(model, batch),
            flags=training_flags.as_text(),
            facts=training_flags.facts() | {"data": dict(data.sets)},
            begin_with=begin_with,
            weights_alone=bool(FLAGS.weights_from),
            bar=FLAGS.tqdm,
        )


def train_config() -> TrainConfig:
    """Returns the settings that the flags give."""
    return training_flags.train_config(
        max_train_steps=FLAGS.iters,
        report_loss_steps=FLAGS.tensorboard_freq,
        summary_steps=FLAGS.tensorboard_freq,
        run_updates_every=FLAGS.tensorboard_freq,
        snapshot_steps=FLAGS.checkpoint_freq,
    )


def recipe(config: TrainConfig, replicas: Replicas) -> tuple[TrainableModel, DataSource, Optimization]:
    """Returns the model that the flags describe, what it learns from, and how."""
    from discovery.training.gradient_clipping import Clipping
    from discovery.training.optimization import Optimization
    from discovery.training.optimizers import Adam
    from discovery.training.schedules import Constant, WarmUpAndDecay

    iterations_at = refinement_curriculum(FLAGS.refinement_curriculum)
    data = emorl_flags.load_data(factors=False, masks=False)
    with replicas.scope():
        model = emorl_flags.make_model(FLAGS.seed)
    scheduled = WarmUpAndDecay(FLAGS.lr, FLAGS.warmup, FLAGS.decay_rate, FLAGS.decay_steps)
    refined = FLAGS.model == "EfficientMORL"
    return (
        model,
        data,
        Optimization(
            optimizer=Adam(),
            schedule=training_flags.with_cosine(scheduled if FLAGS.use_scheduler else Constant(FLAGS.lr)),
            # As torch clips: the norm itself is the bound, and the margin keeps the quotient finite.
            clipping=Clipping(
                norm=5.0 if FLAGS.clip_grad_norm else 0.0, norm_per_parameter=False, norm_margin=1e-6
            ),
            options_at=lambda step: {"refinement_iters": iterations_at(step)} if refined else {},
        ),
    )


def run_folder() -> Path:
    """Returns the folder of the run, where the original's flags say it too."""
    from discovery.training.run_folder import folder_of_run

    logdir = f"{FLAGS.out_dir}/{{name}}" if FLAGS.out_dir else FLAGS.logdir
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
