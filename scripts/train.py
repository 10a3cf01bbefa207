"""Trains SCAE or the constellation autoencoder.

One process:        python -m scripts.train --flagfile=configs/mnist.flags --data_dir=DIR
Your own images:    python -m scripts.train --dataset=images --data_dir=FOLDER --name=mine
Several replicas:   ... --strategy=mirrored --replicas=2   (GPUs, or logical CPU devices where there are none)
Several workers:    scripts/launch_local.sh 2 ... --strategy=multi_worker   (hosts: docs/distributed.md)
The same command again goes on from the last snapshot; --overwrite starts anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery import UserError
from discovery.training.train_config import TrainConfig

from . import entry_point, scae_flags, training_flags
from .help_text import topic

if TYPE_CHECKING:
    from discovery import DataSource, TrainableModel
    from discovery.distributed.replicas import Replicas
    from discovery.training.optimization import Optimization
    from discovery.training.optimizers import Optimizer

FLAGS = flags.FLAGS

training_flags.define()
scae_flags.define()
topic("Training")
# The original's names for the length of a run and for the times of what it writes.
flags.DEFINE_integer("max_train_steps", 300_000, "Number of training steps.")
flags.DEFINE_integer("report_loss_steps", 500, "Steps between printed reports.")
flags.DEFINE_integer("summary_steps", 500, "Steps between TensorBoard summaries.")
flags.DEFINE_integer("snapshot_steps", 0, "Steps between snapshots; 0: none by steps.")
flags.DEFINE_float("grad_value_clip", 0.0, "Bound of every element of the gradients; 0: none.")
flags.DEFINE_float("grad_norm_clip", 0.0, "Bound of their norm per sqrt(number of parameters); 0: none.")
flags.DEFINE_string(
    "checkpoint",
    "",
    "A new run begins with the weights of this snapshot (a prefix, or a run's folder), and is otherwise new; "
    "started again, it resumes from its own.",
)
flags.DEFINE_enum("optimizer", "rmsprop", ("rmsprop", "adam"), "How gradients change the variables.")
flags.DEFINE_float(
    "part_lr", 0.0, "Learning rate of part encoder and decoder; 0: as --lr; images only.", lower_bound=0.0
)
flags.DEFINE_integer(
    "objects_from",
    0,
    "Step at which the object capsules begin to learn, from parts that have formed alone; images only.",
    lower_bound=0,
)
flags.DEFINE_integer(
    "parts_until",
    0,
    "Step at which parts stop learning, their rate having fallen over the second half; from then on objects "
    "learn alone, several times as fast; 0: parts never stop; images only.",
    lower_bound=0,
)


def train_config() -> TrainConfig:
    """Returns the settings that the flags give."""
    return training_flags.train_config()


def recipe(config: TrainConfig, replicas: Replicas) -> tuple[TrainableModel, DataSource, Optimization]:
    """Returns the model that the flags describe, what it learns from, and how."""
    from discovery.training.gradient_clipping import Clipping
    from discovery.training.optimization import Optimization
    from discovery.training.schedules import Constant, ExponentialDecay

    data = scae_flags.load_data()
    with replicas.scope():
        model = scae_flags.make_model()
    return (
        model,
        data,
        Optimization(
            optimizer=optimizer(model),
            schedule=training_flags.with_cosine(
                (ExponentialDecay if FLAGS.use_lr_schedule else Constant)(FLAGS.lr)
            ),
            clipping=Clipping(config.grad_value_clip, config.grad_norm_clip),
            options_at=learners_at(),
        ),
    )


def optimizer(model: TrainableModel) -> Optimizer:
    """Returns the optimizer that the flags give.

    Raises:
        UserError: flags of parts and objects do not fit the model, or --part_lr does not fit --lr.
    """
    from discovery.training.optimizers import Adam, RateFactors, RMSProp
    from discovery.training.schedules import Constant, CosineFall

    # RMSProp's epsilon as in the original: it is inside the square root, and falls with the batch (S4).
    plain = Adam() if FLAGS.optimizer == "adam" else RMSProp(epsilon=1e-2 / FLAGS.batch_size**2)
    asked = [name for name in ("part_lr", "objects_from", "parts_until") if FLAGS[name].value]
    if not asked:
        return plain
    if FLAGS.model != "scae":
        raise UserError(
            f"--{asked[0]}={FLAGS[asked[0]].value}: --model={FLAGS.model} has no part capsules; leave it out"
        )
    if FLAGS.part_lr and not FLAGS.lr:
        raise UserError(f"--part_lr={FLAGS.part_lr}: it is set relative to --lr, which must not be 0")
    part_factor = Constant(FLAGS.part_lr / FLAGS.lr if FLAGS.part_lr else 1.0)
    if FLAGS.parts_until:
        half = FLAGS.parts_until // 2
        part_factor = CosineFall(part_factor, half, FLAGS.parts_until - half)
    parts, objects = (
        {id(w) for layer in layers for w in layer.trainable_weights}
        for layers in (
            (model.part_encoder, model.part_decoder),
            (model.object_encoder, model.object_decoder, model.prior_probe, model.posterior_probe),
        )
    )
    return RateFactors(
        plain,
        factors=tuple(part_factor if id(w) in parts else Constant(1.0) for w in model.trainable_weights),
        starts=tuple(FLAGS.objects_from if id(w) in objects else 0 for w in model.trainable_weights),
    )


def learners_at() -> Callable[[int], Mapping[str, Any]]:
    """Returns the function of the step that tells what of the model learns, as an option of its losses.

    Raises:
        UserError: for a time nothing would learn, or parts and objects cannot learn apart.
    """
    first, last = FLAGS.objects_from, FLAGS.parts_until
    if not (first or last):
        return lambda step: {}
    if last and first > last:
        raise UserError(
            f"--objects_from={first} --parts_until={last}: nothing would learn in between; "
            f"set --objects_from to {last} at most"
        )
    for name in ("vote_type", "pres_type"):
        if FLAGS[name].value != "enc":
            raise UserError(
                f"--{name}={FLAGS[name].value}: objects help to draw the image, so parts cannot learn alone; "
                f"set --{name}=enc, or leave out --objects_from and --parts_until"
            )

    def learners(step):
        if step < first:
            return {"learn": "parts"}
        return {"learn": "objects"} if last and step >= last else {"learn": "all"}

    return learners


def main(_) -> None:
    """Reads flags, then data, then builds the model: mistakes show before the run's folder is touched."""
    from discovery.training.loop import train

    config = train_config()
    folder = training_flags.run_folder()
    entry_point.make_deterministic(FLAGS.deterministic)
    replicas = training_flags.replicas(FLAGS.batch_size)
    model, data, how = recipe(config, replicas)

    training_flags.warn_of_slow_precision()
    training_flags.warn_of_late_starts(config.max_train_steps, "objects_from", "parts_until", "cosine_from")
    shaping = scae_flags.architecture_flags()
    with training_flags.prepared_folder(folder, replicas, shaping, model, FLAGS.checkpoint):
        train(
            model,
            data,
            config,
            folder,
            **how._asdict(),
            replicas=replicas,
            plots=lambda model, batch, step: pictures(model, batch, folder),
            flags=training_flags.as_text(),
            facts=training_flags.facts() | {"data": dict(data.sets), "classes": data.classes},
            begin_with=FLAGS.checkpoint,
            weights_alone=True,
        )


def pictures(model, batch, folder):
    """Draws the model at work, and the learning curves so far where there are any."""
    from discovery.training.run_folder import METRICS_FILE
    from stacked_capsules.plots import constellation_plots, image_plots, learning_curves_plot

    draw = constellation_plots if FLAGS.model == "constellation" else image_plots
    curves = learning_curves_plot(folder / METRICS_FILE)
    return draw(model, batch) | ({} if curves is None else {"learning_curves": curves})


if __name__ == "__main__":
    entry_point.run(main, check=scae_flags.check)
