"""The pure step: against a step written by hand, under XLA, and what it does with unsound numbers."""

import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed
from discovery.training.gradient_clipping import Clipping
from discovery.training.optimizers import RMSProp
from discovery.training.schedules import Constant
from discovery.training.step import TrainingStep, Variables, is_sound
from tests.discovery.training.toy_model import N_FEATURES, ToyModel, make_toy, toy_batch

OPTIMIZER = RMSProp(1e-4)
STEP = tf.constant(4, tf.int64)


def values_of(model):
    return Variables(
        [tf.convert_to_tensor(v) for v in model.trainable_weights],
        [tf.convert_to_tensor(v) for v in model.non_trainable_weights],
    )


def taken(step, jit_compile=None):
    """Takes one step from the model's weights, eagerly or compiled."""
    variables = values_of(step.model)
    run = step if jit_compile is None else tf.function(step, jit_compile=jit_compile, autograph=False)
    batch = {"x": tf.constant(toy_batch(0)["x"])}
    return run(variables, OPTIMIZER.init(variables.trainable), batch, STEP, Seed.of(7))


def test_against_a_step_by_hand():
    model = make_toy()
    variables, slots, metrics = taken(TrainingStep(model, OPTIMIZER, Constant(0.1)))
    with tf.GradientTape() as tape:
        loss, _ = model.loss_and_metrics({"x": toy_batch(0)["x"]}, STEP, Seed.of(7).fold(STEP))
    gradients = tape.gradient(loss, [model.dense.kernel.value, model.dense.bias.value])
    want = [g * 0.1 / tf.sqrt(0.9 + 0.1 * g**2 + 1e-4) for g in gradients]
    old = values_of(model).trainable
    np.testing.assert_array_equal(variables.trainable[0], old[0])  # `unused` has no gradient
    for new, before, delta in zip(variables.trainable[1:], old[1:], want, strict=True):
        np.testing.assert_allclose(before - new, delta, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-6)
    np.testing.assert_allclose(metrics["grad_global_norm"], tf.linalg.global_norm(gradients), rtol=1e-6)
    np.testing.assert_allclose(metrics["lr"], 0.1)
    np.testing.assert_allclose(variables.non_trainable[0], 0.99 + 0.01 * metrics["entropy"], rtol=1e-6)
    assert slots.keys() == {"rms", "momentum"}


def test_nothing_but_the_result_changes():
    model = make_toy()
    before = [v.numpy() for v in model.weights]
    taken(TrainingStep(model, OPTIMIZER, Constant(0.1)))
    for variable, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_equals_eager(jit_compile):
    step = TrainingStep(make_toy(), OPTIMIZER, Constant(0.1), Clipping(0.1, 0.01), statistics_every=5)
    for got, want in zip(
        tf.nest.flatten(taken(step, jit_compile)), tf.nest.flatten(taken(step)), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_statistics_come_at_their_steps():
    model = make_toy()
    for every, present in ((5, True), (3, False)):  # the step after which five are taken
        metrics = taken(TrainingStep(model, OPTIMIZER, Constant(0.1), statistics_every=every))[2]
        assert (metrics["grad/abs_max"].numpy() > 0) == present
    assert "grad/abs_max" not in taken(TrainingStep(model, OPTIMIZER, Constant(0.1)))[2]


def test_options_reach_the_model():
    model = make_toy()
    plain = taken(TrainingStep(model, OPTIMIZER, Constant(0.1)))[2]["loss"]
    doubled = taken(TrainingStep(model, OPTIMIZER, Constant(0.1), options={"entropy_factor": 2.0}))[2]["loss"]
    np.testing.assert_allclose(doubled, 2 * plain, rtol=1e-6)


def test_the_noise_depends_on_the_step():
    step = TrainingStep(make_toy(), OPTIMIZER, Constant(0.1))
    variables = values_of(step.model)
    slots = OPTIMIZER.init(variables.trainable)
    batch = {"x": tf.constant(toy_batch(0)["x"])}
    losses = [step(variables, slots, batch, tf.constant(i), Seed.of(7))[2]["loss"].numpy() for i in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]


def test_what_a_layer_assigns_in_its_call_is_kept():
    class Counting(ToyModel):
        def call(self, inputs, training=False, seed=None):
            self.pull.assign(self.pull + 1.0)
            return super().call(inputs, training, seed)

        def after_step(self, metrics, step):
            return []

    model = Counting()
    model.build((None, N_FEATURES))
    variables, _, _ = taken(TrainingStep(model, OPTIMIZER, Constant(0.1)))
    assert variables.non_trainable[0] == 2.0
    assert model.pull.numpy() == 1.0


def test_after_step_may_change_non_trainable_weights_only():
    model = make_toy()
    model.after_step = lambda metrics, step: [(model.unused, tf.zeros(2))]
    with pytest.raises(ValueError, match="toy/unused"):
        taken(TrainingStep(model, OPTIMIZER, Constant(0.1)))


@pytest.mark.parametrize(
    ("changes", "sound"),
    [
        ({}, True),
        ({"loss": np.inf}, False),
        ({"fit": np.nan}, False),
        ({"fit": np.inf}, True),
        ({"grad_global_norm": np.inf}, False),
        ({"grad_global_norm": -1.0, "clipped_grad_norm": 1.0}, True),
        ({"grad_global_norm": -1.0, "clipped_grad_norm": np.nan}, False),
    ],
)
def test_soundness(changes, sound):
    metrics = {"loss": 1.0, "fit": 0.0, "grad_global_norm": 2.0, **changes}
    assert bool(is_sound({name: tf.constant(value) for name, value in metrics.items()})) == sound
