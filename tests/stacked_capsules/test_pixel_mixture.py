import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from stacked_capsules.pixel_mixture import PixelMixture, with_presence

RNG = np.random.default_rng(0)
B, K, H, W, C = 2, 3, 4, 5, 2


@pytest.mark.parametrize("logit_channels", [1, C])
def test_density_and_mean_against_scipy(logit_channels):
    logits = RNG.normal(size=[B, K, H, W, logit_channels]).astype(np.float32)
    loc = RNG.normal(size=[B, K, H, W, C]).astype(np.float32)
    x = RNG.normal(size=[B, H, W, C]).astype(np.float32)
    mixture = PixelMixture(tf.constant(logits), tf.constant(loc), 0.3)
    prob = scipy.special.softmax(logits.astype(np.float64), 1)
    density = (prob * scipy.stats.norm.pdf(x[:, None], loc, 0.3)).sum(1)
    np.testing.assert_allclose(mixture.log_prob(x), np.log(density), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(mixture.mean(), (prob * loc).sum(1), atol=1e-6)
    np.testing.assert_allclose(mixture.mixing_prob, prob, rtol=1e-5)
    np.testing.assert_allclose(mixture.mixing_log_prob, np.log(prob), rtol=1e-5, atol=1e-6)


def one_pixel(logits, loc, **kwargs):
    return PixelMixture(*(tf.reshape(tf.constant(a), [1, -1, 1, 1, 1]) for a in (logits, loc)), **kwargs)


def test_mode_is_the_likeliest_component():
    assert one_pixel([0.0, 2.0, 1.0], [5.0, 6.0, 7.0]).mode().numpy().item() == 6.0


def test_maximum_weighs_densities_by_presence():
    # a density below one (a wide component) counts against those that are present
    mixture = one_pixel([0.0, 0.5], [5.0, 6.0], scale=2.0, presence=tf.constant([[0.0, 1.0]]))
    assert mixture.mode().numpy().item() == 6.0
    assert mixture.mode(maximum=True).numpy().item() == 5.0


def test_straight_through_has_the_soft_gradient():
    logits = tf.constant([0.0, 2.0, 1.0])
    for straight_through in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            mode = one_pixel(logits, [5.0, 6.0, 7.0]).mode(straight_through=straight_through)
        assert mode.numpy().item() == pytest.approx(6.0)
        gradient = tape.gradient(mode, logits)
        if straight_through:
            p = scipy.special.softmax([0.0, 2.0, 1.0])
            np.testing.assert_allclose(
                gradient, p * (np.array([5.0, 6.0, 7.0]) - p @ [5.0, 6.0, 7.0]), atol=1e-5
            )
        else:
            assert gradient is None


def test_presence_scales_the_mixing_probability():
    logits = tf.zeros([1, 3, 1, 1, 1])
    prob = PixelMixture(with_presence(logits, tf.constant([[1.0, 0.25, 0.0]])), logits).mixing_prob
    np.testing.assert_allclose(tf.reshape(prob, [-1]), [0.8, 0.2, 0.0], atol=1e-6)
