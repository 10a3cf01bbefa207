import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from stacked_capsules.sobel import normalized_sobel_edges

IMAGES = tf.random.stateless_uniform([3, 10, 9, 3], [0, 0])


@pytest.mark.parametrize("subtract_median", [False, True])
@pytest.mark.parametrize("same_number_of_channels", [False, True])
def test_every_channel_spans_zero_to_one(subtract_median, same_number_of_channels):
    edges = normalized_sobel_edges(IMAGES, subtract_median, same_number_of_channels)
    assert edges.shape == (3, 10, 9, 3 if same_number_of_channels else 6)
    np.testing.assert_array_equal(tf.reduce_min(edges, [1, 2]), np.zeros([3, edges.shape[-1]]))
    np.testing.assert_allclose(tf.reduce_max(edges, [1, 2]), np.ones([3, edges.shape[-1]]), rtol=1e-6)


def test_the_median_is_that_of_tensorflow_probability():
    raw = tf.reduce_sum(tf.image.sobel_edges(IMAGES), -1)
    off = tf.abs(raw - tfp.stats.percentile(raw, 50.0, axis=[1, 2], keepdims=True))
    low, high = (f(off, [1, 2], keepdims=True) for f in (tf.reduce_min, tf.reduce_max))
    np.testing.assert_allclose(normalized_sobel_edges(IMAGES), (off - low) / (high - low), atol=1e-6)


def test_even_images_have_no_edges_and_a_step_has_one():
    images = np.zeros([1, 8, 8, 1], np.float32)
    np.testing.assert_array_equal(normalized_sobel_edges(images), images)
    images[:, :, 4:] = 1.0
    edges = normalized_sobel_edges(images).numpy()[0, :, :, 0]
    np.testing.assert_allclose(edges, np.broadcast_to([0, 0, 0, 1, 1, 0, 0, 0], [8, 8]), atol=1e-6)
