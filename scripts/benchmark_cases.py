"""What `scripts.benchmark` measures: a case's name -> a function that makes its workload.

Cases take their sizes and options from the run's file in configs/. Scripts are imported by the cases that use
their flags, as some names mean something else in others.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from absl import flags

from protocols import Batch, TrainableModel
from stacked_capsules.data import load
from training.execution import Execution
from training.gradient_clipping import Clipping
from training.optimizers import Adam, Optimizer, RMSProp
from training.replicas import single_replica
from training.schedules import Constant
from training.step import TrainingStep
from training.train_state import TrainState

FLAGS = flags.FLAGS
_CONFIGS = Path(__file__).parent.parent / "configs"


class Workload(NamedTuple):
    """What is timed.

    Attributes:
        call: does it once; its tensors are waited for.
        batch_size: examples of each step.
        steps_per_call: steps that one call takes.
    """

    call: Callable[[], Any]
    batch_size: int
    steps_per_call: int = 1


def scae_mnist_train() -> Workload:
    """One training step of run_mnist.sh."""
    model, images = _scae_mnist()
    batch = {"image": images, "label": tf.range(len(images), dtype=tf.int64) % 10}
    return _training(model, batch, RMSProp(epsilon=1e-2 / len(images) ** 2))


def scae_mnist_infer() -> Workload:
    """Prior and posterior presences of object capsules."""
    model, images = _scae_mnist()
    infer = tf.function(model.object_presences, autograph=False)
    return Workload(lambda: infer(images), len(images))


def scae_constellation_train() -> Workload:
    """Training steps of run_constellation.sh, as many in each call as there."""
    scae_flags = _read_scae_flags("constellation.flags")
    model = scae_flags.make_model()
    batch = next(iter(load(scae_flags.data_config()).train(0)))
    optimizer = RMSProp(epsilon=1e-2 / FLAGS.batch_size**2)
    return _training(model, batch, optimizer, steps_per_call=FLAGS.steps_per_call)


def emorl_tetrominoes_train() -> Workload:
    """One training step of run_tetrominoes.sh: 32 scenes, three refinements, GECO at work."""
    return _emorl_training("tetrominoes.flags", batch_size=32, refinement_iters=3)


def emorl_tetrominoes_infer() -> Workload:
    """Everything that EfficientMORL infers of 32 scenes of tetrominoes in three refinements."""
    return _emorl_inference("tetrominoes.flags", batch_size=32, refinement_iters=3)


def emorl_clevr6_train() -> Workload:
    """A training step of run_clevr6.sh on two images, with one refinement."""
    return _emorl_training("clevr6.flags", batch_size=2, refinement_iters=1)


def emorl_clevr6_infer() -> Workload:
    """Everything that EfficientMORL infers of two images of CLEVR6's size in one refinement."""
    return _emorl_inference("clevr6.flags", batch_size=2, refinement_iters=1)


CASES: dict[str, Callable[[], Workload]] = {
    case.__name__: case
    for case in (
        *(scae_mnist_train, scae_mnist_infer, scae_constellation_train),
        *(emorl_tetrominoes_train, emorl_tetrominoes_infer, emorl_clevr6_train, emorl_clevr6_infer),
    )
}


class Original(NamedTuple):
    """What the original programs do on two cores: SCAE in TensorFlow 1.15, EfficientMORL in PyTorch 2.13.

    Attributes:
        examples_per_s: of the median call.
        peak_rss_mb: memory that its process has held at most.
    """

    examples_per_s: float
    peak_rss_mb: float


ORIGINALS = {
    "scae_mnist_train": Original(243, 3800),
    "scae_mnist_infer": Original(983, 2400),
    "scae_constellation_train": Original(2390, 900),
    "emorl_tetrominoes_train": Original(20.1, 1150),
    "emorl_tetrominoes_infer": Original(42.5, 890),
    "emorl_clevr6_train": Original(0.89, 1270),
    "emorl_clevr6_infer": Original(1.87, 910),
}


def _scae_mnist():
    """Returns the model, and images of noise: what they show does not change how long it takes."""
    scae_flags = _read_scae_flags("mnist.flags")
    model = scae_flags.make_model()
    images = np.random.default_rng(0).uniform(size=[FLAGS.batch_size, *model.image_shape])  # [B, H, W, C]
    return model, tf.constant(images, tf.float32)


def _read_scae_flags(config):
    from scripts import scae_flags, train  # noqa: F401 (defines the flags)

    FLAGS(["benchmark", f"--flagfile={_CONFIGS / config}"])
    return scae_flags


def _emorl_training(config, batch_size, refinement_iters):
    model, images = _emorl(config, batch_size)
    return _training(
        model,
        {"image": images},
        Adam(),
        clipping=Clipping(norm=5.0, norm_per_parameter=False, norm_margin=1e-6),
        first_step=model.config.geco_warm_start,
        options={"refinement_iters": refinement_iters},
    )


def _emorl_inference(config, batch_size, refinement_iters):
    model, images = _emorl(config, batch_size)
    infer = tf.function(lambda x: model(x, refinement_iters=refinement_iters), autograph=False)
    return Workload(lambda: infer(images), batch_size)


def _emorl(config, batch_size):
    """Returns the model, and images of noise: what they show does not change how long it takes."""
    from scripts import emorl_flags, train_emorl  # noqa: F401 (defines the flags)

    FLAGS(["benchmark", f"--flagfile={_CONFIGS / config}"])
    model = emorl_flags.make_model()
    shape = [batch_size, model.config.size, model.config.size, 3]  # [B, H, W, 3]
    return model, tf.constant(np.random.default_rng(0).uniform(size=shape), tf.float32)


def _training(
    model: TrainableModel,
    batch: Batch,
    optimizer: Optimizer,
    steps_per_call: int = 1,
    clipping: Clipping | None = None,
    first_step: int = 0,
    options: dict[str, Any] | None = None,
) -> Workload:
    replicas = single_replica()
    state = TrainState(model, optimizer, replicas)
    state.step.assign(first_step)
    options = options or {}
    step = TrainingStep(model, optimizer, Constant(1e-5), clipping or Clipping())
    execution = Execution(step, state, replicas, seed=0)
    batches = replicas.iterate(tf.data.Dataset.from_tensors(batch).repeat())
    batch_size = len(tf.nest.flatten(batch)[0])
    return Workload(
        lambda: execution.steps(batches, steps_per_call, **options).values, batch_size, steps_per_call
    )
