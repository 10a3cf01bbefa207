"""What `benchmarks.run` measures: a case's name -> a function that makes its workload.

Cases take their sizes and options from the run's file in configs/, and models, data and optimizers from where
training takes them. Each case imports its script, as some flags mean something else in others.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import flags

from discovery.flag_files import CONFIGS, read_flag_file
from scripts import entry_point, training_flags, training_script

if TYPE_CHECKING:
    import tensorflow as tf

    from discovery import Batch, TrainableModel
    from discovery.training.optimization import Optimization

FLAGS = flags.FLAGS
_TWO_IMAGES = ("--batch_size=2", "--refinement_curriculum=-1:1")


class Workload(NamedTuple):
    """What is timed.

    Attributes:
        call: does it once; its tensors are waited for.
        batch_size: examples per step.
        steps_per_call: steps that one call takes.
        on_pipeline: makes a call that takes its batches from the training's own pipeline.
    """

    call: Callable[[], Any]
    batch_size: int
    steps_per_call: int = 1
    on_pipeline: Callable[[], Callable[[], Any]] | None = None


def scae_mnist_train(*overrides: str) -> Workload:
    """One training step of run_mnist.sh."""
    import tensorflow as tf

    def batch(images):
        return {"image": images, "label": tf.range(len(images), dtype=tf.int64) % 10}

    return _training("mnist", overrides, batch)


def scae_mnist_infer(*overrides: str) -> Workload:
    """Prior and posterior presences of object capsules."""
    return _inference("mnist", overrides, lambda model, how: model.object_presences)


def scae_constellation_train(*overrides: str) -> Workload:
    """Training steps of run_constellation.sh, as many in each call as there."""
    return _training("constellation", overrides)


def emorl_tetrominoes_train(*overrides: str) -> Workload:
    """One training step of run_tetrominoes.sh: 32 scenes, three refinements, GECO active."""
    return _training("tetrominoes", overrides, lambda images: {"image": images})


def emorl_tetrominoes_infer(*overrides: str) -> Workload:
    """Everything that EfficientMORL infers from 32 scenes of tetrominoes in three refinements."""
    return _inference("tetrominoes", overrides, _with_refinements)


def emorl_clevr6_train(*overrides: str) -> Workload:
    """A training step of run_clevr6.sh on two images, with one refinement."""
    return _training("clevr6", [*_TWO_IMAGES, *overrides], lambda images: {"image": images})


def emorl_clevr6_infer(*overrides: str) -> Workload:
    """Everything that EfficientMORL infers from two images of CLEVR6's size in one refinement."""
    return _inference("clevr6", [*_TWO_IMAGES, *overrides], _with_refinements)


def timed(call: Callable[[], Any]) -> float:
    """Returns how long a call takes, in seconds, until its results are ready."""
    import tensorflow as tf

    start = time.perf_counter()
    for tensor in tf.nest.flatten(call()):
        tensor.numpy()
    return time.perf_counter() - start


CASES: dict[str, Callable[..., Workload]] = {
    case.__name__: case
    for case in (
        *(scae_mnist_train, scae_mnist_infer, scae_constellation_train),
        *(emorl_tetrominoes_train, emorl_tetrominoes_infer, emorl_clevr6_train, emorl_clevr6_infer),
    )
}


def _with_refinements(model, how):
    return functools.partial(model, refinement_iters=how.options_at(0)["refinement_iters"])


def _described(config, overrides):
    """Reads flags, and does what scripts do with them first; returns the module that describes the model."""
    path = CONFIGS / f"{config}.flags"
    script = training_script.of_model(read_flag_file(path)["model"])
    FLAGS(["benchmark", f"--flagfile={path}", *overrides])
    training_flags.set_threads()
    entry_point.make_deterministic(FLAGS.deterministic)
    return script.described


def _model(described) -> tuple[TrainableModel, Optimization]:
    from discovery.experiments import experiment, function

    model = described.make_model()
    learning = training_script.learning_options()
    return model, function(experiment(FLAGS.model).recipe)(model, learning, FLAGS.batch_size)


def _noise(model):
    """Returns images [B, H, W, C]; what they show does not affect the time."""
    import numpy as np
    import tensorflow as tf

    size = model.image_shape if FLAGS.model == "scae" else (model.config.size, model.config.size, 3)
    return tf.constant(np.random.default_rng(0).uniform(size=[FLAGS.batch_size, *size]), tf.float32)


def _inference(config, overrides, inference_of):
    import tensorflow as tf

    model, how = _model(_described(config, overrides))
    images = _noise(model)
    infer = tf.function(inference_of(model, how), autograph=False)
    return Workload(lambda: infer(images), len(images))


def _training(
    config: str, overrides: tuple[str, ...] | list[str], batch_of: Callable[[tf.Tensor], Batch] | None = None
) -> Workload:
    """Returns training steps on one batch: noise where `batch_of` makes it, else the data's first batch."""
    import tensorflow as tf

    from discovery.distributed.replicas import single_replica
    from discovery.training.execution import Execution
    from discovery.training.schedules import Constant
    from discovery.training.step import TrainingStep
    from discovery.training.train_state import TrainState

    described = _described(config, overrides)
    model, how = _model(described)
    replicas = single_replica()
    state = TrainState(model, how.optimizer, replicas)
    state.step.assign(getattr(model.config, "geco_warm_start", 0))
    step = TrainingStep(model, how.optimizer, Constant(1e-5), how.clipping)
    execution = Execution(step, state, replicas, seed=0)
    options = how.options_at(0)

    def pipeline():
        return described.load_training_data().train(0)

    def calls_on(dataset):
        batches = replicas.iterate(dataset)
        return lambda: execution.steps(batches, FLAGS.steps_per_call, **options).values

    batch = batch_of(_noise(model)) if batch_of else next(iter(pipeline()))
    in_memory = tf.data.Dataset.from_tensors(batch).repeat()
    return Workload(calls_on(in_memory), FLAGS.batch_size, FLAGS.steps_per_call, lambda: calls_on(pipeline()))
