import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules import template_decoder
from stacked_capsules.template_decoder import OrthogonalTemplates, TemplateDecoder

P, SIZE = 3, 16
POSE = tf.constant(np.tile([0.5, 0.1, 0.2, -0.1, 0.4, -0.3], [2, P, 1]), tf.float32)


def decoder_of(**options):
    decoder = TemplateDecoder((SIZE, SIZE), (5, 7), P, n_features=4, **options)
    decoder.build()
    return decoder


@pytest.mark.parametrize("use_alpha_channel", [False, True])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_shift_by_whole_pixels_shifts_what_is_drawn(use_alpha_channel, n_channels):
    decoder = decoder_of(use_alpha_channel=use_alpha_channel, n_channels=n_channels)
    pixel = 2.0 / (SIZE - 1)
    moved_pose = POSE + tf.constant([0.0, 0.0, 2 * pixel, 0.0, 0.0, -pixel])
    still, moved = (decoder(pose, None, decoder.make_templates()) for pose in (POSE, moved_pose))
    for a, b in (
        (still.transformed_templates, moved.transformed_templates),
        (still.mixture.mixing_prob, moved.mixture.mixing_prob),
    ):
        a, b = a.numpy(), b.numpy()
        assert np.ptp(a) > 0.05
        np.testing.assert_allclose(b[:, :, :-1, 2:], a[:, :, 1:, :-2], atol=1e-4)


def test_absent_parts_leave_the_background():
    decoder = decoder_of(use_alpha_channel=True)
    background = tf.random.stateless_uniform([2, SIZE, SIZE, 1], [0, 0])
    mixture, _ = decoder(POSE, tf.zeros([2, P]), decoder.make_templates(), background)
    np.testing.assert_allclose(mixture.mean(), background, atol=1e-6)
    np.testing.assert_array_equal(mixture.mode(), background)
    decoder.bg_value.assign([-1.0])
    mixture, _ = decoder(POSE, tf.zeros([2, P]), decoder.make_templates())
    np.testing.assert_allclose(mixture.mean(), np.full([2, SIZE, SIZE, 1], 1 / (1 + np.e)), rtol=1e-5)


def test_opacity_decides_with_an_alpha_channel_and_brightness_without():
    pose = tf.tile(
        tf.constant([[[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]]]), [1, P, 1]
    )  # templates as large as the canvas
    decoder = decoder_of(use_alpha_channel=True)
    alpha = np.zeros([1, P, 5, 7, 1])
    alpha[:, 1] = 20.0
    decoder.templates_alpha.assign(alpha)
    mixture, placed = decoder(pose, tf.ones([1, P]), decoder.make_templates())
    np.testing.assert_array_equal(mixture.mode(), placed[:, 1])

    decoder = decoder_of()
    decoder.bg_value.assign([-20.0])
    mixture, placed = decoder(pose, tf.ones([1, P]), decoder.make_templates())
    np.testing.assert_allclose(mixture.mode(), tf.reduce_max(placed, 1), atol=1e-6)


@pytest.mark.parametrize("whole_batch", [False, True])
@pytest.mark.parametrize(
    ("options", "presence"),
    [
        ({"use_alpha_channel": True, "n_channels": 3}, tf.constant([[0.3, 0.9, 0.6], [0.5, 0.2, 1.0]])),
        ({"learn_output_scale": True}, None),
    ],
)
def test_explains_as_it_draws(monkeypatch, options, presence, whole_batch):
    monkeypatch.setattr(template_decoder, "_POINTS_AT_A_TIME", 100 * P)  # several blocks, the last filled up
    decoder = TemplateDecoder((SIZE, SIZE + 3), (5, 7), P, n_features=4, whole_batch=whole_batch, **options)
    templates = decoder.make_templates()
    pose = POSE + 0.1 * tf.random.stateless_normal(POSE.shape, [0, 1])
    target = tf.random.stateless_uniform([2, SIZE, SIZE + 3, decoder.n_channels], [0, 2])
    inputs = [x for x in (pose, presence, templates) if x is not None]
    weights = [w.value for w in decoder.trainable_variables if w.name != "templates"]

    def drawn():
        mixture = decoder(pose, presence, templates).mixture
        log_prob = mixture.log_prob(target)
        return tf.reduce_sum(log_prob, [1, 2, 3]), log_prob, mixture.mode()

    def outputs_and_gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = function()
            objective = tf.reduce_sum(outputs[0] * [1.0, 2.0])
        return [*outputs, *tape.gradient(objective, [*inputs, *weights])]

    explained = outputs_and_gradients(lambda: decoder.explain(pose, presence, templates, target))
    for got, want in zip(explained, outputs_and_gradients(drawn), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("nonlin", ["relu1", "sigmoid"])
def test_colors_follow_the_features(nonlin):
    decoder = decoder_of(colorize_templates=True, n_channels=3, template_nonlin=nonlin, color_nonlin=nonlin)
    feature = tf.random.stateless_normal([2, P, 4], [0, 0])
    colored = decoder.make_templates(feature).numpy()
    assert colored.shape == (2, P, 5, 7, 3)
    assert colored.min() >= 0.0
    assert colored.max() <= 1.0
    assert np.abs(colored[0] - colored[1]).max() > 1e-3
    assert decoder.make_templates().shape == (1, P, 5, 7, 3)


@pytest.mark.parametrize("shape", [(1, 4, 5, 7, 1), (1, 12, 2, 2, 3)])
def test_templates_start_orthogonal(shape):
    t = np.asarray(OrthogonalTemplates(3)(shape, "float32"), np.float64).reshape(shape[1], -1)
    assert (t.min(), t.max()) == (0.0, 1.0)
    # t = a q + b with rows of q orthonormal: equal norms of t - b give b
    norms, sums = (t * t).sum(1), t.sum(1)
    b = (norms[0] - norms[1]) / (2.0 * (sums[0] - sums[1]))
    gram = (t - b) @ (t - b).T
    np.testing.assert_allclose(gram / gram[0, 0], np.eye(shape[1]), atol=1e-4)
    assert np.array_equal(OrthogonalTemplates(3)(shape), OrthogonalTemplates(3)(shape))
    assert not np.array_equal(OrthogonalTemplates(3)(shape), OrthogonalTemplates(4)(shape))


def test_wrong_options_are_named():
    with pytest.raises(
        UserError, match=r"template_size: templates of \(5, 9\) are larger than the canvas of \(8, 8\)"
    ):
        TemplateDecoder((8, 8), (5, 9))
    with pytest.raises(UserError, match="color_nonlin: 'blue' is not known"):
        TemplateDecoder(color_nonlin="blue")
