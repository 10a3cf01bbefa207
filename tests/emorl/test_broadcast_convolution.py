import numpy as np
import pytest
import tensorflow as tf

from emorl.broadcast_convolution import convolve_broadcast


@pytest.mark.parametrize(("grid", "k", "border"), [(7, 5, 1), (9, 3, 0), (8, 5, 2), (6, 1, 0)])
def test_is_the_convolution_of_the_broadcast_slots(grid, k, border):
    rng = np.random.default_rng(0)
    shapes = ([3, 4], [grid, grid, 4], [k, k, 4, 6], [6])
    arguments = [tf.constant(rng.normal(size=shape)) for shape in shapes]

    def plainly(slots, position, kernel, bias):
        x = slots[:, None, None] + position  # [n, g, g, z]
        x = tf.pad(x, [[0, 0], [border, border], [border, border], [0, 0]])
        return tf.nn.conv2d(x, kernel, 1, "VALID") + bias

    def value_and_gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y = function(*arguments)
            total = tf.reduce_sum(tf.sin(y))
        return [y, *tape.gradient(total, arguments)]

    got = value_and_gradients(lambda *a: convolve_broadcast(*a, border=border))
    for a, b in zip(got, value_and_gradients(plainly), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)
