"""The autoencoder without slots: its loss by hand, what trains, and that it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed, UserError
from emorl.configuration import VAEConfig
from emorl.seeded_models import make_vae
from tests.emorl.small_models import SIZE, FixedNoise, images, make


def test_shapes():
    model = make("vae")
    outputs = model(images(2), training=True, seed=3)
    assert outputs.slots.shape == outputs.posterior.mean.shape == outputs.posterior.std.shape == (2, 1, 8)
    assert outputs.nll.shape == outputs.kl.shape == (2,)
    np.testing.assert_array_equal(outputs.decoding.mask_log_probs, np.zeros([2, 1, SIZE, SIZE, 1]))
    np.testing.assert_array_equal(outputs.decoding.reconstruction, outputs.decoding.means[:, 0])
    slots, masks = model.encode(images(2))
    assert slots.shape == (2, 1, 8)
    np.testing.assert_array_equal(masks, np.ones([2, 1, SIZE, SIZE]))


@pytest.mark.parametrize("size", [1, 10, 16, 17, 35])
def test_any_size_can_be_encoded(size):
    model = make_vae(VAEConfig(input_size=(3, size, size), z_size=2, image_decoder="small"))
    assert model(tf.zeros([1, size, size, 3])).decoding.reconstruction.shape == (1, size, size, 3)


def test_the_loss_is_the_negative_elbo():
    model, x = make("vae", log_scale=-0.7), images(3)
    outputs = model(x, training=True, seed=FixedNoise(order=(0,)))
    mean, std = (np.asarray(field, np.float64) for field in outputs.posterior)  # [3, 1, 8]
    noise = np.random.default_rng([0, 3]).normal(size=[3, 1, 8])
    np.testing.assert_allclose(outputs.slots, mean + std * noise, rtol=1e-5, atol=1e-6)
    painted = np.asarray(model.decode(outputs.slots).means, np.float64)[:, 0]  # [3, H, W, 3]
    scale = np.exp(-0.7)
    log_density = -np.log(scale) - np.square(x - painted) / (2 * scale**2)  # without log(2 pi) / 2
    kl = (np.square(mean) + np.square(std) - 1 - 2 * np.log(std)).sum(axis=(1, 2)) / 2  # [3]
    nll = -log_density.sum(axis=(1, 2, 3))  # [3]
    np.testing.assert_allclose(outputs.kl, kl, rtol=1e-5)
    np.testing.assert_allclose(outputs.nll, nll, rtol=1e-5)
    loss, metrics = model.losses({"image": x}, outputs)
    np.testing.assert_allclose(loss, (nll + kl).mean(), rtol=1e-5)
    got = [metrics[name] for name in ("loss", "nll", "kl")]
    np.testing.assert_allclose(got, [loss, nll.mean(), kl.mean()], rtol=1e-5)


def test_training_steps_move_all_weights_and_lower_the_loss():
    model = make_vae(VAEConfig(input_size=(3, SIZE, SIZE), z_size=8, image_decoder="small", init_gain=1.0))
    before = [weight.numpy().copy() for weight in model.trainable_variables]
    x, adam = images(8), keras.optimizers.Adam(1e-3)
    weights = model.trainable_variables

    def loss_at(step):
        return model.loss_and_metrics({"image": x}, tf.constant(step), Seed.of(0).fold(step))[0]

    @tf.function(autograph=False)
    def gradients_at(step):
        with tf.GradientTape() as tape:
            loss, _ = model.loss_and_metrics({"image": x}, step, Seed.of(0).fold(step))
        return loss, tape.gradient(loss, [weight.value for weight in weights])

    first, gradients = gradients_at(tf.constant(0))
    for weight, gradient in zip(weights, gradients, strict=True):
        assert np.abs(gradient).max() > 0, weight.path
    for step in range(30):
        adam.apply_gradients(zip(gradients_at(tf.constant(step))[1], weights, strict=True))
    assert all(np.abs(old - new.numpy()).max() > 0 for old, new in zip(before, weights, strict=True))
    assert loss_at(30) < 0.8 * first


def test_options_that_make_no_model():
    with pytest.raises(UserError, match="input_size is 8 x 9; images must be square"):
        VAEConfig(input_size=(3, 8, 9))
    with pytest.raises(UserError, match="z_size must be an integer of at least 1"):
        VAEConfig(z_size=0)
    with pytest.raises(UserError, match="image_decoder must be one of small, iodine, big"):
        make_vae(VAEConfig(image_decoder="large"))
    assert VAEConfig().K == 1
