"""EfficientMORL's loss, inner gradient, refinement and GECO."""

import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed
from emorl.diagonal_gaussian import DiagonalGaussian
from emorl.image_decoders import Decoding
from emorl.inference_stages import EfficientMORLOutputs, Stage
from tests.emorl.small_models import FixedNoise, images, make


def inner_gradients(model, monkeypatch, **options):
    """The gradients that a forward pass hands to the refinement network."""
    seen, call = [], model.refinement.call

    def record(parameters, gradient, state):
        seen.append((parameters, gradient))
        return call(parameters, gradient, state)

    with monkeypatch.context() as patch:
        patch.setattr(model.refinement, "call", record)
        model(images(2), seed=FixedNoise(), **options)
    return seen


@pytest.mark.parametrize("kind", ["no_layer", "two_layers_reversed", "default", "mixture_iodine_gru"])
def test_inner_gradient_is_the_slope_of_the_loss(kind, monkeypatch):
    """Against differences of the loss of the first stage, in a random direction."""
    model = make(kind)
    x, (parameters, gradient) = images(2), inner_gradients(model, monkeypatch, training=True, step=0)[0]
    inferred = model.slot_inference(
        model.encoder(2.0 * x - 1.0), draw=lambda i: FixedNoise(draw=i).normal((2, 3, 8))
    )

    def loss(parameters):
        stage, _ = model._first_stage(
            x,
            [*inferred.parameters[:-1], parameters],
            lambda i: FixedNoise(draw=i).normal((2, 3, 8)),
            training=False,
        )
        return tf.reduce_mean(stage.nll + stage.kl)

    direction = tf.constant(np.random.default_rng(0).normal(size=parameters.shape), tf.float32)
    h = 3e-3
    slope = (loss(parameters + h * direction) - loss(parameters - h * direction)) / (2 * h)
    np.testing.assert_allclose(tf.reduce_sum(gradient * direction), slope, atol=2e-2 * tf.norm(gradient))


def test_inner_loss_is_the_batch_mean_in_training_and_the_image_s_own_at_inference(monkeypatch):
    model = make("one_layer")
    (_, training), *_ = inner_gradients(model, monkeypatch, training=True)
    (_, inference), *_ = inner_gradients(model, monkeypatch, training=False)
    np.testing.assert_allclose(2.0 * training, inference, rtol=1e-4, atol=1e-5)


def test_geco_weighs_the_likelihood_in_the_inner_loss_from_its_warm_start_on(monkeypatch):
    model = make("one_layer")  # its warm start is step 2
    model.geco_beta.assign(3.0)
    gradients = {s: inner_gradients(model, monkeypatch, training=True, step=s)[0][1] for s in (1, 2, None)}
    plain = inner_gradients(model, monkeypatch, training=True, step=2, kl_beta=0)[0][1]
    np.testing.assert_array_equal(gradients[2], gradients[None])
    # gradient = weight of nll * d_nll + d_kl
    weight = np.log1p(np.exp(3.0))
    d_kl = gradients[1] - plain
    np.testing.assert_allclose(gradients[2], weight * plain + d_kl, rtol=1e-3, atol=1e-2)


def test_no_gradient_flows_through_the_inner_gradient():
    """Weights that act on the refinement by it alone get the gradient that they had without it."""
    model = make("one_layer")
    x = images(1)

    def gradient(refinement_iters):
        with tf.GradientTape() as tape:
            outputs = model(x, training=True, seed=1, refinement_iters=refinement_iters)
            loss = tf.reduce_sum(outputs.stages[0].nll)
        return tape.gradient(loss, model.decoder.trainable_variables)

    for a, b in zip(gradient(0), gradient(2), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


def by_hand(nll, kl):
    """Outputs of one image with given likelihoods per stage."""
    none = tf.zeros([1, 1, 1])
    stages = [
        Stage(DiagonalGaussian(none, none), none, Decoding(none, none), tf.constant([n]), tf.constant([k]))
        for n, k in zip(nll, kl, strict=True)
    ]
    return EfficientMORLOutputs((), tuple(stages), tf.constant([[0.5] * (len(stages) - 1)]))


def test_loss_by_hand():
    model = make("default", use_geco=False)
    outputs = by_hand([5.0, 4.0, 2.0], [1.0, 2.0, 3.0])
    loss, metrics = model.losses({}, outputs)
    # I = 2: stages weigh 5/3, 4/3, 3/3
    np.testing.assert_allclose(loss, (5 * 6 + 4 * 6 + 3 * 5) / 3, rtol=1e-6)
    np.testing.assert_allclose([metrics["nll"], metrics["kl"]], [2.0, 3.0])
    np.testing.assert_allclose(metrics["norm_delta_lamda_1"], 0.5)
    np.testing.assert_allclose(model.losses({}, outputs, kl_beta=0.5)[0], (5 * 5.5 + 4 * 5 + 3 * 3.5) / 3)


def test_geco_before_at_and_after_its_warm_start():
    model = make("default")  # target -1 * 300, warm start 2
    model.geco_C_ema.assign(-4.0)
    model.geco_beta.assign(0.6)
    outputs = by_hand([5.0, 4.0, 2.0], [1.0, 2.0, 3.0])
    plain = model.losses({}, outputs, step=1)[0]
    np.testing.assert_allclose(plain, (5 * 6 + 4 * 6 + 3 * 5) / 3, rtol=1e-6)
    term = 4.0 * np.log1p(np.exp(0.6))
    active, metrics = model.losses({}, outputs, step=2)
    np.testing.assert_allclose(active, (5 * 1 + 4 * 2 + 3 * 3) / 3 + term * (5 + 4 + 3) / 3, rtol=1e-6)
    assert metrics["geco_C_ema"] == -4.0
    want = {
        1: (-4.0, 0.6),
        2: (-302.0, 0.6),
        3: (0.99 * -4.0 + 0.01 * -302.0, 0.6 + 1e-6 * (0.99 * 4.0 + 0.01 * 302.0)),
    }
    for step, values in want.items():
        after = model.after_step(metrics, tf.constant(step, tf.int64))
        assert [variable.name for variable, _ in after] == ["geco_C_ema", "geco_beta"]
        np.testing.assert_allclose([value for _, value in after], values, rtol=1e-6)
    assert make("no_refinement").after_step(metrics, tf.constant(3)) == []


def test_curriculum_asks_for_fewer_refinements():
    model = make("default")
    loss, metrics = model.loss_and_metrics(
        {"image": images(2)}, tf.constant(0), Seed.of(1), refinement_iters=1
    )
    assert np.isfinite(loss)
    assert "norm_delta_lamda_0" in metrics
    assert "norm_delta_lamda_1" not in metrics


def test_posterior_is_that_of_the_last_stage():
    model = make("default")
    outputs = model(images(2), seed=4)
    posterior = model.posterior(images(2), seed=4)
    np.testing.assert_array_equal(posterior.mean, outputs.stages[-1].posterior.mean)
    np.testing.assert_array_equal(posterior.std, outputs.stages[-1].posterior.std)
    assert posterior.mean.shape == (2, 3, 8)
