import numpy as np
import tensorflow as tf

from emorl.likelihood_gradient import with_early_gradient


def test_gradients_are_those_of_the_plain_values():
    rng = np.random.default_rng(0)
    slots, weights = tf.constant(rng.normal(size=[3, 2, 4])), tf.constant(rng.normal(size=[4, 5]))

    def plainly(slots, weights):
        return tf.reduce_sum(tf.sin(tf.tensordot(slots, weights, 1)), [1, 2])  # [3]

    def early(slots, weights):
        with tf.GradientTape() as tape:
            tape.watch([slots, weights])
            values = plainly(slots, weights)
        d_slots, d_weights = tape.gradient(values, [slots, weights])
        return with_early_gradient(values, slots, d_slots, [weights], [d_weights])

    def value_and_gradients(function, factors):
        with tf.GradientTape() as tape:
            tape.watch([slots, weights])
            values = function(slots, weights)
            total = tf.reduce_sum(tf.constant(factors, tf.float64) * values)
        return [values, *tape.gradient(total, [slots, weights])]

    for a, b in zip(value_and_gradients(early, 2.5), value_and_gradients(plainly, 2.5), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    # images that weigh differently: the slots' gradient is still exact
    a, b = (value_and_gradients(f, [1.0, 2.0, 4.0]) for f in (early, plainly))
    np.testing.assert_allclose(a[1], b[1], rtol=1e-12)
