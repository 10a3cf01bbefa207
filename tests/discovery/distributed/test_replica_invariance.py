"""Both systems' models take four steps on one, two and four replicas, with the same numbers.

Noise, statistics of the whole batch, clipping and GECO's change of phase are all at work. Steps are taken
eagerly, since graphs of four replicas take much longer to build than to run four times: graphs of replicas
are tested in `test_replicas`, in `tests/conformance` and with whole runs in `tests/scripts`.

SCAE computes in float32. EfficientMORL does in float64, because its float32 steps are chaotic: rounding flips
a ReLU that lies close to zero, which the gradient that drives refinement tells to all that follows, and Adam
makes steps of full size out of the rounding errors of gradients that are exactly zero.
"""

from typing import Any, NamedTuple

import keras
import pytest
import tensorflow as tf

from discovery import Seed
from discovery.distributed.replicas import make_replicas, single_replica
from discovery.training.execution import Execution
from discovery.training.gradient_clipping import Clipping
from discovery.training.optimizers import Adam, RMSProp
from discovery.training.step import TrainingStep
from discovery.training.train_state import TrainState
from tests.discovery.training.same_state import assert_same_state
from tests.emorl import small_models as emorl_models
from tests.stacked_capsules.small_models import constellations, images, small_constellation, small_scae

pytestmark = pytest.mark.slow

B = 4
N_STEPS = 4
SCAE = {"dtype": "float32", "optimizer": RMSProp(1e-2 / B**2), "clipping": Clipping(value=20.0, norm=0.01)}
EMORL = {
    "dtype": "float64",
    "optimizer": Adam(),
    "clipping": Clipping(norm=5.0, norm_per_parameter=False, norm_margin=1e-6),
}
IMAGES = {"colorize_templates": True, "template_nonlin": "sigmoid", "color_nonlin": "sigmoid"}
IMAGES |= {"pixel_likelihood": "whole"}  # in blocks, XLA would compile anew for each replica


class Case(NamedTuple):
    make: Any
    batch: dict[str, tf.Tensor]
    dtype: str
    optimizer: Any
    clipping: Clipping


def emorl(kind, **options):
    options["geco_warm_start"] = 1
    return Case(lambda: emorl_models.make(kind, **options), {"image": emorl_models.images(B)}, **EMORL)


CASES = {
    "mnist": lambda: Case(lambda: small_scae(**IMAGES, use_alpha_channel=True), images(B), **SCAE),
    "mnist_coupled": lambda: Case(lambda: small_scae(**IMAGES), images(B), **SCAE),
    "constellation": lambda: Case(small_constellation, constellations(B), **SCAE),
    "tetrominoes": lambda: emorl("default", stochastic_layers=2, refinement_iters=1, geco_beta_stepsize=0.01),
    "mixture": lambda: emorl("mixture_iodine_gru", stochastic_layers=1),
}


class Eager:
    """Stands for TensorFlow where `tf.function` is to change nothing."""

    def __getattr__(self, name):
        return getattr(tf, name)

    def function(self, function=None, **_):
        return function or (lambda wrapped: wrapped)


@pytest.fixture
def case(request, monkeypatch):
    monkeypatch.setattr("discovery.training.execution.tf", Eager())
    case = CASES[request.param]()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(case.dtype)
    for name in ("uniform", "normal"):
        draw = getattr(Seed, name)
        monkeypatch.setattr(Seed, name, lambda *args, draw=draw: tf.cast(draw(*args), case.dtype))
    yield case._replace(
        batch={k: tf.cast(v, case.dtype) if v.dtype.is_floating else v for k, v in case.batch.items()}
    )
    keras.config.set_dtype_policy(before)


def trained(case, n, weights):
    """Returns metrics of each step, and variables after the first and the last one, by name."""
    replicas = make_replicas("mirrored", n) if n > 1 else single_replica()
    with replicas.scope():
        model = case.make()
    for weight in model.weights:  # initial values are drawn anew, and are the same; but fewer are zero so
        weight.assign(weights.setdefault(weight.path, weight.numpy()))
    state = TrainState(model, case.optimizer, replicas)
    step = TrainingStep(model, case.optimizer, lambda step: tf.constant(1e-3, case.dtype), case.clipping)
    execution = Execution(step, state, replicas, seed=3)
    iterator = replicas.iterate(tf.data.Dataset.from_tensors(case.batch).repeat())
    metrics, variables = [], []
    for _ in range(N_STEPS):
        metrics.append(execution.steps(iterator).as_floats())
        variables.append({name: variable.numpy() for name, variable in state.named.items()})
    return metrics, (variables[0], variables[-1])


@pytest.mark.parametrize("case", CASES, indirect=True)
@pytest.mark.filterwarnings("ignore:.*eagerly has significant overhead")
def test_replicas_take_the_steps_of_one(case):
    weights = {}
    metrics, variables = trained(case, 1, weights)
    assert all(m["grad_global_norm"] > 2 * m["clipped_grad_norm"] for m in metrics)
    if "geco_beta" in metrics[0]:  # the phase without the constraint, and with it
        assert metrics[0]["geco_beta"] == metrics[1]["geco_beta"] != metrics[-1]["geco_beta"]
    for n in (2, 4):
        other_metrics, other_variables = trained(case, n, weights)
        for step in range(N_STEPS):
            assert other_metrics[step] == pytest.approx(metrics[step], rel=1e-5, abs=1e-7), (n, step)
        # After the first step the optimizer's slots are the gradients, each element scaled by itself.
        for got, want in zip(other_variables, variables, strict=True):
            assert_same_state(got, want, rtol=1e-5, slots_rtol=1e-5)
