"""What `benchmarks.run` measures: a case's name -> a function that makes its workload.

Cases take their sizes and options from the run's file in configs/. Scripts are imported by the cases that use
their flags, as some names mean something else in others.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import flags

from scripts import entry_point, training_flags

if TYPE_CHECKING:
    import tensorflow as tf

    from discovery import Batch, TrainableModel
    from discovery.training.gradient_clipping import Clipping
    from discovery.training.optimizers import Optimizer

FLAGS = flags.FLAGS
_CONFIGS = Path(__file__).parent.parent / "configs"
_TWO_IMAGES = ("--batch_size=2", "--refinement_curriculum=-1:1")


class Workload(NamedTuple):
    """What is timed.

    Attributes:
        call: does it once; its tensors are waited for.
        batch_size: examples of each step.
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

    from discovery.training.optimizers import RMSProp

    model, images, pipeline = _scae_mnist(overrides)
    batch = {"image": images, "label": tf.range(len(images), dtype=tf.int64) % 10}
    return _training(model, batch, pipeline, RMSProp(epsilon=1e-2 / len(images) ** 2))


def scae_mnist_infer(*overrides: str) -> Workload:
    """Prior and posterior presences of object capsules."""
    import tensorflow as tf

    model, images, _ = _scae_mnist(overrides)
    infer = tf.function(model.object_presences, autograph=False)
    return Workload(lambda: infer(images), len(images))


def scae_constellation_train(*overrides: str) -> Workload:
    """Training steps of run_constellation.sh, as many in each call as there."""
    from discovery.training.optimizers import RMSProp

    scae_flags = _read_scae_flags("constellation.flags", overrides)
    model = scae_flags.make_model()
    pipeline = functools.partial(_scae_batches, scae_flags)
    optimizer = RMSProp(epsilon=1e-2 / FLAGS.batch_size**2)
    return _training(model, next(iter(pipeline())), pipeline, optimizer, FLAGS.steps_per_call)


def emorl_tetrominoes_train(*overrides: str) -> Workload:
    """One training step of run_tetrominoes.sh: 32 scenes, three refinements, GECO at work."""
    return _emorl_training("tetrominoes.flags", overrides)


def emorl_tetrominoes_infer(*overrides: str) -> Workload:
    """Everything that EfficientMORL infers of 32 scenes of tetrominoes in three refinements."""
    return _emorl_inference("tetrominoes.flags", overrides)


def emorl_clevr6_train(*overrides: str) -> Workload:
    """A training step of run_clevr6.sh on two images, with one refinement."""
    return _emorl_training("clevr6.flags", [*_TWO_IMAGES, *overrides])


def emorl_clevr6_infer(*overrides: str) -> Workload:
    """Everything that EfficientMORL infers of two images of CLEVR6's size in one refinement."""
    return _emorl_inference("clevr6.flags", [*_TWO_IMAGES, *overrides])


def timed(call: Callable[[], Any]) -> float:
    """Returns how long a call takes, in seconds, until its results are there."""
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


def _scae_mnist(overrides):
    """Returns the model, images of noise (what they show changes no time), and the training's pipeline."""
    import numpy as np
    import tensorflow as tf

    scae_flags = _read_scae_flags("mnist.flags", overrides)
    model = scae_flags.make_model()
    images = np.random.default_rng(0).uniform(size=[FLAGS.batch_size, *model.image_shape])  # [B, H, W, C]
    return model, tf.constant(images, tf.float32), functools.partial(_scae_batches, scae_flags)


def _scae_batches(scae_flags):
    from stacked_capsules.data import load

    return load(scae_flags.data_config()).train(0)


def _read_scae_flags(config, overrides):
    from scripts import scae_flags, train  # noqa: F401 (defines the flags)

    _parse(config, overrides)
    return scae_flags


def _parse(config, overrides):
    """Reads flags, and does what scripts do with them before anything runs."""
    FLAGS(["benchmark", f"--flagfile={_CONFIGS / config}", *overrides])
    training_flags.set_threads()
    entry_point.make_deterministic(FLAGS.deterministic)


def _emorl_training(config, overrides):
    from discovery.training.gradient_clipping import Clipping
    from discovery.training.optimizers import Adam
    from scripts import emorl_flags

    model, images, refinement_iters = _emorl(config, overrides)
    return _training(
        model,
        {"image": images},
        lambda: emorl_flags.load_data(factors=False, masks=False).train(0),
        Adam(),
        clipping=Clipping(norm=5.0, norm_per_parameter=False, norm_margin=1e-6),
        first_step=model.config.geco_warm_start,
        options={"refinement_iters": refinement_iters},
    )


def _emorl_inference(config, overrides):
    import tensorflow as tf

    model, images, refinement_iters = _emorl(config, overrides)
    infer = tf.function(lambda x: model(x, refinement_iters=refinement_iters), autograph=False)
    return Workload(lambda: infer(images), len(images))


def _emorl(config, overrides):
    """Returns the model, images of noise, and the number of refinements."""
    import numpy as np
    import tensorflow as tf

    from emorl.refinement_curriculum import refinement_curriculum
    from scripts import emorl_flags, train_emorl  # noqa: F401 (defines the flags)

    _parse(config, overrides)
    model = emorl_flags.make_model()
    shape = [FLAGS.batch_size, model.config.size, model.config.size, 3]  # [B, H, W, 3]
    images = tf.constant(np.random.default_rng(0).uniform(size=shape), tf.float32)
    return model, images, refinement_curriculum(FLAGS.refinement_curriculum)(0)


def _training(
    model: TrainableModel,
    batch: Batch,
    pipeline: Callable[[], tf.data.Dataset],
    optimizer: Optimizer,
    steps_per_call: int = 1,
    clipping: Clipping | None = None,
    first_step: int = 0,
    options: dict[str, Any] | None = None,
) -> Workload:
    import tensorflow as tf

    from discovery.distributed.replicas import single_replica
    from discovery.training.execution import Execution
    from discovery.training.gradient_clipping import Clipping
    from discovery.training.schedules import Constant
    from discovery.training.step import TrainingStep
    from discovery.training.train_state import TrainState

    replicas = single_replica()
    state = TrainState(model, optimizer, replicas)
    state.step.assign(first_step)
    options = options or {}
    step = TrainingStep(model, optimizer, Constant(1e-5), clipping or Clipping())
    execution = Execution(step, state, replicas, seed=0)

    def calls_on(dataset):
        batches = replicas.iterate(dataset)
        return lambda: execution.steps(batches, steps_per_call, **options).values

    return Workload(
        calls_on(tf.data.Dataset.from_tensors(batch).repeat()),
        len(tf.nest.flatten(batch)[0]),
        steps_per_call,
        lambda: calls_on(pipeline()),
    )
