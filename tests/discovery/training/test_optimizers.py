"""Updates against numbers worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from discovery.training.optimizers import Adam, RateFactors, RMSProp
from discovery.training.schedules import Constant, CosineFall

RATE = 0.1


def steps(optimizer, gradients):
    """Takes steps from (1, 2) and returns the variable after each."""
    variables, history = [tf.constant([1.0, 2.0])], []
    slots = optimizer.init(variables)
    for step, gradient in enumerate(gradients):
        variables, slots = optimizer.update(
            [tf.constant(gradient)], slots, variables, tf.constant(RATE), tf.constant(step, tf.int64)
        )
        history.append(variables[0].numpy())
    return history, slots


def test_rmsprop_starts_at_one_with_epsilon_inside_the_root():
    history, slots = steps(RMSProp(epsilon=0.06), [[2.0, 0.0], [1.0, -1.0]])
    # First: ms = 0.9 * 1 + 0.1 * g^2 = (1.3, 0.9); momentum = 0.1 * g / sqrt(ms + 0.06).
    first = 0.2 / 1.36**0.5
    np.testing.assert_allclose(history[0], [1 - first, 2.0], rtol=1e-6)
    # Second: ms = (0.9 * 1.3 + 0.1, 0.9 * 0.9 + 0.1) = (1.27, 0.91).
    second = 0.9 * first + 0.1 / 1.33**0.5, -0.1 / 0.97**0.5
    np.testing.assert_allclose(history[1], [1 - first - second[0], 2.0 - second[1]], rtol=1e-6)
    np.testing.assert_allclose(slots["rms"][0], [1.27, 0.91], rtol=1e-6)
    np.testing.assert_allclose(slots["momentum"][0], second, rtol=1e-6)


def test_rmsprop_from_a_mean_square_of_zero_as_keras_has_it():
    history, slots = steps(RMSProp(epsilon=0.06, start=0.0), [[2.0, 0.0]])
    # ms = 0.1 * g^2 = (0.4, 0).
    np.testing.assert_allclose(history[0], [1 - 0.2 / 0.46**0.5, 2.0], rtol=1e-6)
    np.testing.assert_allclose(slots["rms"][0], [0.4, 0.0], rtol=1e-6)


def test_rmsprop_is_tensorflow_1s():
    variable = tf.Variable([1.0, 2.0, -3.0])
    reference = {
        "ms": tf.Variable([1.0, 1.0, 1.0]),
        "mom": tf.Variable([0.0, 0.0, 0.0]),
    }
    optimizer = RMSProp(epsilon=1e-6)
    variables = [tf.constant([1.0, 2.0, -3.0])]
    slots = optimizer.init(variables)
    for step in range(5):
        gradient = tf.constant(np.random.default_rng(step).normal(size=3).astype(np.float32))
        variables, slots = optimizer.update(
            [gradient], slots, variables, tf.constant(RATE), tf.constant(step)
        )
        tf.raw_ops.ResourceApplyRMSProp(
            var=variable.handle,
            ms=reference["ms"].handle,
            mom=reference["mom"].handle,
            lr=RATE,
            rho=0.9,
            momentum=0.9,
            epsilon=1e-6,
            grad=gradient,
        )
    np.testing.assert_allclose(variables[0], variable.numpy(), rtol=1e-6)


def test_adam_adds_epsilon_to_the_corrected_root():
    history, _ = steps(Adam(epsilon=0.5), [[2.0, 0.0], [1.0, 0.0]])
    # First: m_hat = 2, v_hat = 4: a step of 0.1 * 2 / (2 + 0.5).
    np.testing.assert_allclose(history[0], [1 - 0.08, 2.0], rtol=1e-6)
    m_hat = (0.9 * 0.2 + 0.1 * 1) / (1 - 0.9**2)
    v_hat = (0.999 * 0.004 + 0.001 * 1) / (1 - 0.999**2)
    np.testing.assert_allclose(history[1][0], 1 - 0.08 - 0.1 * m_hat / (v_hat**0.5 + 0.5), rtol=1e-6)


def test_a_variable_without_gradient_is_left_alone():
    for optimizer in (RMSProp(1e-4), Adam()):
        variables = [tf.constant([1.0]), tf.constant([2.0])]
        slots = optimizer.init(variables)
        new, new_slots = optimizer.update([None, tf.constant([1.0])], slots, variables, 0.1, tf.constant(0))
        assert new[0] is variables[0]
        assert new[1].numpy() != 2.0
        for kind in slots:
            assert new_slots[kind][0] is slots[kind][0]


@pytest.mark.parametrize("optimizer", [RMSProp(1e-4), Adam()])
def test_each_variable_may_have_its_own_rate(optimizer):
    """As if each were alone with an optimizer of that rate; slots have the same names and order."""
    start = [tf.constant([1.0, 2.0]), tf.constant([3.0]), tf.constant([[4.0]]), tf.constant(5.0)]
    factors = (2.0, 1.0, 2.0, 0.5)
    together = RateFactors(optimizer, tuple(Constant(factor) for factor in factors))
    variables, slots = start, together.init(start)
    assert [*slots] == [*optimizer.init(start)]
    alone = [([variable], optimizer.init([variable])) for variable in start]
    for step in range(3):
        rate, at = tf.constant(RATE), tf.constant(step, tf.int64)
        gradients = [None if step == i else tf.sin(v) for i, v in enumerate(variables)]
        variables, slots = together.update(gradients, slots, variables, rate, at)
        alone = [
            optimizer.update([g], own_slots, own, factor * rate, at)
            for g, (own, own_slots), factor in zip(gradients, alone, factors, strict=True)
        ]
    for i, ((own,), own_slots) in enumerate(alone):
        np.testing.assert_array_equal(variables[i], own)
        for name, (value,) in own_slots.items():
            np.testing.assert_array_equal(slots[name][i], value)


def test_rates_must_be_as_many_as_variables():
    two = [tf.constant(1.0), tf.constant(2.0)]
    optimizer = RateFactors(Adam(), (Constant(1.0),))
    with pytest.raises(ValueError, match="argument 3"):
        optimizer.update(two, optimizer.init(two), two, tf.constant(RATE), tf.constant(0))


@pytest.mark.parametrize("optimizer", [RMSProp(epsilon=0.06), Adam()], ids=["rmsprop", "adam"])
def test_a_variable_that_starts_late_moves_as_if_it_had_started_then(optimizer):
    start = [tf.constant([1.0, 2.0]), tf.constant(3.0)]
    late = RateFactors(optimizer, (Constant(1.0), Constant(2.0)), starts=(0, 2))
    variables, slots = start, late.init(start)
    alone, own_slots = start[1:], optimizer.init(start[1:])
    for step in range(5):
        gradients = [tf.ones_like(start[0]), None if step < 2 else tf.sin(variables[1])]
        before = variables
        variables, slots = late.update(
            gradients, slots, variables, tf.constant(RATE), tf.constant(step, tf.int64)
        )
        assert (variables[0].numpy() < before[0].numpy()).all()
        if step >= 2:
            at = tf.constant(step - 2, tf.int64)
            alone, own_slots = optimizer.update(gradients[1:], own_slots, alone, 2.0 * RATE, at)
        np.testing.assert_array_equal(variables[1], alone[0])


def test_a_factor_may_change_with_the_step():
    factors = (CosineFall(Constant(2.0), 1, 2, to=0.0), Constant(1.0))
    optimizer = RateFactors(RMSProp(epsilon=0.0, momentum=0.0, decay=1.0), factors)
    variables = [tf.constant(0.0), tf.constant(0.0)]
    for step, factor in enumerate((2.0, 2.0, 1.0, 0.0)):
        slots = optimizer.init(variables)  # mean squares of one: each step is the rate times the gradient
        at = tf.constant(step, tf.int64)
        new, _ = optimizer.update([tf.constant(1.0)] * 2, slots, variables, tf.constant(0.5), at)
        np.testing.assert_allclose([v.numpy() for v in new], [-0.5 * factor, -0.5], atol=1e-7)
