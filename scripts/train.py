"""Trains SCAE or the constellation autoencoder.

One process:        python -m scripts.train --flagfile=configs/mnist.flags --data_dir=DIR
Your own images:    python -m scripts.train --dataset=images --data_dir=FOLDER --name=mine
Several replicas:   ... --strategy=mirrored --replicas=2   (GPUs, or logical CPU devices where there are none)
Several workers:    scripts/launch_local.sh 2 ... --strategy=multi_worker   (hosts: docs/distributed.md)
The same command again resumes from the last snapshot; --overwrite starts anew.
"""

from __future__ import annotations

from absl import flags

from discovery.training.train_config import TrainConfig

from . import entry_point, scae_flags, training_flags, training_script
from .help_text import topic
from .option_flags import read_flags
from .path_flags import define_path

FLAGS = flags.FLAGS

training_flags.define()
scae_flags.define()
training_script.define_learning(scae_flags.PACKAGE)
topic("Training")
define_path(
    "checkpoint",
    "",
    "A new run begins with the weights of this snapshot (a prefix, or a run's folder), and is otherwise new; "
    "started again, it resumes from its own.",
)

#: The flags of models and data.
described = scae_flags


def train_config() -> TrainConfig:
    """Returns the settings that the flags give."""
    return read_flags(TrainConfig)


def check() -> None:
    """Raises a UserError for flags that can be found wrong without TensorFlow."""
    scae_flags.check()
    train_config()
    training_script.learning_options()


def main(_) -> None:
    """Trains what the flags describe."""
    folder = training_flags.run_folder()

    def learning_curves():
        from discovery.training.run_folder import METRICS_FILE
        from stacked_capsules.plots import learning_curves_plot

        curves = learning_curves_plot(folder / METRICS_FILE)
        return {} if curves is None else {"learning_curves": curves}

    training_script.train_as_described(
        scae_flags,
        train_config(),
        folder,
        begin_with=FLAGS.checkpoint,
        weights_alone=True,
        more_plots=learning_curves,
    )


if __name__ == "__main__":
    entry_point.run(main, check=check)
