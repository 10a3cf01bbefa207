import numpy as np
import pytest
import tensorflow as tf

from stacked_capsules.resampler import affine_grid, resample, resample_points

RNG = np.random.default_rng(0)
TEMPLATES = RNG.normal(size=[2, 3, 5, 7, 2]).astype(np.float32)
X = RNG.uniform(-2.5, 8.5, size=[2, 3, 40]).astype(np.float32)
Y = RNG.uniform(-2.5, 6.5, size=[2, 3, 40]).astype(np.float32)


def by_hats(templates, x, y):
    """Samples by the definition: pixel (i, j) weighs hat(y - i) hat(x - j), and there is none outside."""
    h, w = templates.shape[-3:-1]
    columns = tf.nn.relu(1.0 - tf.abs(x[..., tf.newaxis] - np.arange(w, dtype=np.float32)))
    rows = tf.nn.relu(1.0 - tf.abs(y[..., tf.newaxis] - np.arange(h, dtype=np.float32)))
    return tf.einsum("...li,...lj,...ijc->...lc", rows, columns, templates)


def points_first(templates, x, y):
    """`resample_points`, for what `resample` takes."""
    flat = tf.reshape(templates, [-1, *templates.shape[-3:]])
    x, y = (tf.transpose(tf.reshape(p, [-1, p.shape[-1]])) for p in (x, y))  # [L, n]
    samples = tf.transpose(resample_points(flat, x, y), [1, 0, 2])  # [n, L, C]
    return tf.reshape(samples, [*templates.shape[:-3], *samples.shape[1:]])


@pytest.mark.parametrize("sample", [resample, points_first])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_values_and_gradients_are_those_of_the_definition(jit_compile, sample):
    def values_and_gradients(sample):
        inputs = [tf.constant(a) for a in (TEMPLATES, X, Y)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            samples = sample(*inputs)
            objective = tf.reduce_sum(tf.sin(samples))
        return samples, *tape.gradient(objective, inputs)

    got = tf.function(values_and_gradients, jit_compile=jit_compile)(sample)
    for ours, oracle in zip(got, values_and_gradients(by_hats), strict=True):
        assert ours.shape == oracle.shape
        np.testing.assert_allclose(ours, oracle, atol=2e-5)


@pytest.mark.parametrize("sample", [resample, points_first])
def test_what_lies_outside_gives_and_gets_nothing(sample):
    x = tf.constant([[[-1.0, 7.0, 3.0, 1e9, np.nan, 1.0, -np.inf]]])
    y = tf.constant([[[2.0, 2.0, 5.0, 1e9, 1.0, np.inf, 2.0]]])
    templates = tf.constant(TEMPLATES[:1, :1])
    with tf.GradientTape() as tape:
        tape.watch([templates, x, y])
        samples = sample(templates, x, y)
    np.testing.assert_array_equal(samples, np.zeros([1, 1, 7, 2]))
    for gradient in tape.gradient(samples, [templates, x, y]):
        np.testing.assert_array_equal(gradient, np.zeros(gradient.shape))


def test_grid_of_the_identity_meets_the_corners():
    x, y = affine_grid(tf.constant([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), (5, 7), (9, 13))
    np.testing.assert_allclose(tf.reshape(x, [9, 13])[0], np.arange(13) / 2.0, atol=1e-6)
    np.testing.assert_allclose(tf.reshape(y, [9, 13])[:, 0], np.arange(9) / 2.0, atol=1e-6)


def test_grid_undoes_the_pose():
    pose = tf.constant([[0.5, 0.2, 0.1, -0.3, 0.7, -0.2]])
    x, y = affine_grid(pose, (5, 7), (9, 13))
    template = np.stack([x[0] / 3.0 - 1.0, y[0] / 2.0 - 1.0, np.ones(9 * 13)])  # [3, H * W], in [-1, 1]
    canvas = pose.numpy().reshape(2, 3) @ template
    rows, columns = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 13), indexing="ij")
    np.testing.assert_allclose(canvas, [columns.ravel(), rows.ravel()], atol=1e-5)
