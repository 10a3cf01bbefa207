import math

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules.sparsity import between_examples, check_sparsity_type, within_example

PRESENCE = tf.constant([[1.0, 0.0, 0.0], [0.5, 0.5, 1.0]])


def test_l2_by_hand():
    # 3 capsules and 2 classes: 1.5 active capsules wanted per example, a sum of 1 wanted per capsule
    np.testing.assert_allclose(within_example("l2", PRESENCE, 2), [0.25, 0.25])
    np.testing.assert_allclose(within_example("l2", PRESENCE, 2, constant=4.0), [9.0, 4.0])
    between = between_examples("l2", tf.reduce_sum(PRESENCE, 0), tf.constant(2.0), 2)
    np.testing.assert_allclose(between, -(0.5**2 + 0.5**2 + 0.0) / 3, rtol=1e-6)


def test_entropy_by_hand():
    np.testing.assert_allclose(within_example("entropy", PRESENCE, 10), [0.0, 1.5 * math.log(2)], atol=1e-6)
    np.testing.assert_allclose(within_example("entropy", tf.ones([1, 5]), 10), [math.log(5)], rtol=1e-6)
    even = between_examples("entropy", tf.fill([5], 3.0), tf.constant(7.0), 10)
    np.testing.assert_allclose(even, math.log(5), rtol=1e-6)


def test_kl_is_zero_for_even_capsules_and_lower_otherwise():
    np.testing.assert_allclose(within_example("kl", tf.ones([1, 5]), 10), [0.0], atol=1e-6)
    np.testing.assert_allclose(within_example("kl", tf.one_hot([2], 5), 10), [-math.log(5)], rtol=1e-6)


@pytest.mark.parametrize("kind", ["entropy", "kl", "l2"])
def test_capsules_that_never_are_present_do_no_harm(kind):
    presence = tf.zeros([2, 3])
    with tf.GradientTape() as tape:
        tape.watch(presence)
        within = tf.reduce_mean(within_example(kind, presence, 2))
        between = between_examples(kind, tf.reduce_sum(presence, 0), tf.constant(2.0), 2)
        total = within + between
    assert np.isfinite(total)
    assert np.all(np.isfinite(tape.gradient(total, presence)))


def test_unknown_type():
    with pytest.raises(UserError, match="'l1' is not known, use one of entropy, kl, l2"):
        check_sparsity_type("l1")
