import keras
import numpy as np
import tensorflow as tf

from stacked_capsules.constellation_decoder import ConstellationDecoder
from tests.stacked_capsules.small_models import constellations, small_constellation


def test_stands_in_for_the_capsules(tmp_path):
    model, batch = small_constellation(decoder="plain"), constellations()
    with tf.GradientTape() as tape:
        loss, metrics = model.loss_and_metrics(batch, 0, 3)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(g is not None for g in gradients)
    assert np.isfinite(loss)
    assert metrics["dynamic_weights_l2"] == 0.0
    model.save(tmp_path / "plain.keras")
    inputs = model.inputs_of(batch)
    loaded = keras.saving.load_model(tmp_path / "plain.keras")
    np.testing.assert_array_equal(loaded(inputs).votes.log_prob, model(inputs).votes.log_prob)


def test_presences_are_predicted_and_noise_is_added():
    decoder = ConstellationDecoder(n_caps=2, n_votes=3)
    decoder.build((None, 2, 5))
    batch = constellations(batch_size=500)
    encoding = tf.random.stateless_normal([500, 2, 5], [1, 2])
    inputs = (encoding, batch["corners"], batch["presence"])
    clean, _ = decoder(*inputs)
    outputs = decoder.mlp(encoding)  # [B, O, 1 + 3 + 3 + 6]
    np.testing.assert_allclose(clean.pres_logit_per_caps, outputs[..., 0])
    per_vote = tf.sigmoid(outputs[..., :1]) * tf.sigmoid(outputs[..., 1:4])
    np.testing.assert_allclose(clean.vote_presence_prob, tf.reshape(per_vote, [500, 6]), rtol=1e-6)
    np.testing.assert_array_equal(clean.transform[..., :2, 2], clean.vote)
    noisy, _ = decoder(*inputs, training=True, seed=1)
    noise = noisy.pres_logit_per_caps - clean.pres_logit_per_caps
    assert np.abs(noise).max() <= 2.0 + 1e-5
    assert np.std(noise) > 1.0
