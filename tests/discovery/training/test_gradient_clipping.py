"""Bounds and statistics of gradients; the originals' arrays are in tests/parity."""

import numpy as np
import tensorflow as tf

from discovery.training.gradient_clipping import Clipping, gradient_statistics

GRADIENTS = [tf.constant([3.0, -4.0]), None, tf.constant([[12.0]])]  # norm 13


def test_norm_bound_grows_with_the_root_of_the_parameter_count():
    clipped, norm = Clipping(norm=2.0).clip(GRADIENTS)
    np.testing.assert_allclose(tf.linalg.global_norm(clipped), 2 * 3**0.5, rtol=1e-6)
    np.testing.assert_allclose(norm, 2 * 3**0.5, rtol=1e-6)
    np.testing.assert_allclose(clipped[0][0] / clipped[2][0, 0], 3 / 12, rtol=1e-6)  # the direction stays


def test_small_gradients_pass():
    clipped, norm = Clipping(value=20.0, norm=20.0).clip(GRADIENTS)
    assert clipped[1] is None
    np.testing.assert_array_equal(clipped[0], GRADIENTS[0])
    np.testing.assert_allclose(norm, 13.0, rtol=1e-6)
    assert not Clipping().active


def test_an_infinite_element_is_clipped_by_value_only():
    infinite = [tf.constant([np.inf, 1.0])]
    clipped, norm = Clipping(value=2.0).clip(infinite)
    np.testing.assert_array_equal(clipped[0], [2.0, 1.0])
    assert np.isfinite(norm)
    assert not np.isfinite(Clipping(norm=2.0).clip(infinite)[1])


def test_statistics_by_hand():
    got = gradient_statistics(GRADIENTS)
    want = {"grad/abs_max": 12, "grad/abs_mean": 19 / 3, "grad/mean": 11 / 3, "grad/var": 3.5**2 / 3}
    assert got.keys() == want.keys()
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-6, err_msg=name)
