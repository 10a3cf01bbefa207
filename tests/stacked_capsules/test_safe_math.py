import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules.nonlinearities import NONLINEARITIES, nonlinearity, relu1
from stacked_capsules.safe_math import LOG_ZERO, normalize, safe_ce, safe_log


def test_logarithm_of_zero_is_finite_and_flat():
    x = tf.constant([0.0, 1e-20, 0.5])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = safe_log(x)
    np.testing.assert_allclose(y, [LOG_ZERO, LOG_ZERO, np.log(0.5)], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, x), [0.0, 0.0, 2.0])


def test_ratios_by_hand():
    np.testing.assert_allclose(
        normalize(tf.constant([[1.0, 3.0], [0.0, 0.0]]), 1), [[0.25, 0.75], [0.0, 0.0]]
    )
    labels, probs = tf.constant([[1.0, 0.0], [0.0, 1.0]]), tf.constant([[0.5, 0.5], [0.75, 0.25]])
    np.testing.assert_allclose(safe_ce(labels, probs), (np.log(2.0) + np.log(4.0)) / 2, rtol=1e-6)


def test_relu1_clips_with_no_gradient_at_its_ends():
    x = tf.constant([-1.0, 0.0, 0.25, 1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = relu1(x)
    np.testing.assert_allclose(y, [0.0, 0.0, 0.25, 1.0, 1.0])
    np.testing.assert_allclose(tape.gradient(y, x), [0.0, 0.0, 1.0, 0.0, 0.0])


def test_nonlinearities_are_found_by_name_or_listed():
    assert nonlinearity("relu1") is relu1
    for function in NONLINEARITIES.values():
        assert function(tf.ones([2, 3])).shape == (2, 3)
    with pytest.raises(UserError, match=r"nonlinearity: 'relu2' is not known, use one of .*relu1"):
        nonlinearity("relu2")
