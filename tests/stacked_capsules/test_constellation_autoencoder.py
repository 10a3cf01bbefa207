import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules.evaluation.segmentation import segmentation_accuracy
from tests.stacked_capsules.small_models import constellations, losses_by_halves, small_constellation


@pytest.fixture(scope="module")
def model():
    model = small_constellation()
    capsules = model.decoder.capsules
    capsules.caps_presence_bias.assign([[-6.0], [0.5], [1.0]])  # one capsule is there never, two often
    capsules.vote_presence_bias.assign(np.random.default_rng(0).normal(size=(3, 4)))
    return model


def test_objects_do_not_depend_on_the_order_of_points(model):
    batch = constellations()
    order = np.random.default_rng(1).permutation(7)
    moved = {k: tf.gather(v, order, axis=1) for k, v in batch.items() if k != "pattern_presence"}
    got, want = model(model.inputs_of(moved)), model(model.inputs_of(batch))
    for a, b in zip(tf.nest.flatten(got.objects), tf.nest.flatten(want.objects), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    np.testing.assert_allclose(got.caps_presence_prob, want.caps_presence_prob, atol=1e-5)
    np.testing.assert_allclose(got.votes.log_prob, want.votes.log_prob, rtol=1e-4)
    winners = tf.gather(want.votes.is_from_capsule, order, axis=1)
    np.testing.assert_array_equal(got.votes.is_from_capsule, winners)


def test_absent_points_say_nothing_about_objects(model):
    batch = constellations()
    absent = batch["presence"][..., tf.newaxis] == 0.0
    moved = tf.where(absent, batch["corners"] + 0.7, batch["corners"])
    got, want = model((moved, batch["presence"])), model((batch["corners"], batch["presence"]))
    np.testing.assert_allclose(got.caps_encoding, want.caps_encoding, atol=1e-5)
    np.testing.assert_allclose(got.votes.log_prob, want.votes.log_prob, rtol=1e-5)


def test_all_points_are_present_if_nothing_is_said(model):
    batch = constellations()
    got, want = model(batch["corners"]), model((batch["corners"], tf.ones_like(batch["presence"])))
    np.testing.assert_array_equal(got.votes.log_prob, want.votes.log_prob)


def test_two_replicas_get_the_loss_of_the_whole_batch(model):
    batch = constellations()
    loss, metrics = model.losses(batch, model(model.inputs_of(batch)))
    for loss_of_half, metrics_of_half in losses_by_halves(model, batch):
        np.testing.assert_allclose(loss_of_half, loss, rtol=1e-5)
        for name, value in metrics.items():
            np.testing.assert_allclose(metrics_of_half[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_segmentation_accuracy_is_that_of_the_evaluation(model):
    batch = constellations(batch_size=12)
    outputs = model(model.inputs_of(batch))
    got = model.losses(batch, outputs)[1]["segm_acc"]
    arrays = [t.numpy() for t in (outputs.votes.is_from_capsule, batch["pattern_id"], batch["presence"])]
    np.testing.assert_allclose(got, segmentation_accuracy(*arrays), rtol=1e-6)
    no_patterns = {k: batch[k] for k in ("corners", "presence")}
    assert "segm_acc" not in model.losses(no_patterns, outputs)[1]


def test_each_weight_is_that_of_its_loss():
    batch = constellations()
    zero = dict.fromkeys(("dynamic_l2_weight", "sparsity_weight", "mixing_kl_weight"), 0.0)
    for when in ("prior", "posterior"):
        zero |= dict.fromkeys((f"{when}_{w}_example_sparsity_weight" for w in ("within", "between")), 0.0)
    signs = {"dynamic_l2_weight": ("dynamic_weights_l2", 1), "sparsity_weight": ("sparsity_loss", 1)}
    signs["mixing_kl_weight"] = ("mixing_kl", 1)
    for when in ("prior", "posterior"):
        signs[f"{when}_within_example_sparsity_weight"] = (f"{when}_within_sparsity_loss", 1)
        signs[f"{when}_between_example_sparsity_weight"] = (f"{when}_between_sparsity_loss", -1)
    assert set(signs) == set(zero)
    model = small_constellation(**zero)
    outputs = model(model.inputs_of(batch))
    base, metrics = model.losses(batch, outputs)
    np.testing.assert_allclose(base, -metrics["log_prob"])
    for weight, (term, sign) in signs.items():
        model.config = dataclasses.replace(model.config, **{weight: 2.0})
        assert metrics[term] != 0.0
        np.testing.assert_allclose(
            model.losses(batch, outputs)[0] - base, 2.0 * sign * metrics[term], rtol=1e-3, atol=1e-4
        )
        model.config = dataclasses.replace(model.config, **{weight: 0.0})


@pytest.mark.parametrize("capsule_presence", ["binary", "soft"])
def test_prior_sparsity_has_a_gradient_if_presences_are_soft(model, capsule_presence):
    batch = constellations()
    other = small_constellation(capsule_presence=capsule_presence)
    other.set_weights(model.get_weights())
    with tf.GradientTape() as tape:
        outputs = other(other.inputs_of(batch))
        _, metrics = other.losses(batch, outputs)
        sparsity = metrics["prior_within_sparsity_loss"] - metrics["prior_between_sparsity_loss"]
    gradient = tape.gradient(sparsity, other.decoder.capsules.caps_presence_bias.value)
    if capsule_presence == "binary":
        assert not np.any(gradient)
        assert set(np.unique(outputs.caps_presence_prob)) == {0.0, 1.0}
    else:
        assert np.all(np.abs(gradient) > 0)
        np.testing.assert_array_equal(outputs.caps_presence_prob, outputs.caps_presence_soft)


def test_posterior_sparsity_of_present_points_does_not_see_the_others():
    batch = constellations()
    moved = tf.where(batch["presence"][..., tf.newaxis] > 0, batch["corners"], batch["corners"] + 3.0)
    terms = ("posterior_within_sparsity_loss", "posterior_between_sparsity_loss")

    def sparsity(posterior_points, corners):
        model = small_constellation(posterior_points=posterior_points)
        inputs = {**batch, "corners": corners}
        _, metrics = model.losses(inputs, model(model.inputs_of(inputs)))
        return np.array([metrics[term] for term in terms])

    seen = sparsity("present", batch["corners"])
    np.testing.assert_allclose(sparsity("present", moved), seen, rtol=1e-5)
    assert np.all(np.abs(sparsity("all", moved) - sparsity("all", batch["corners"])) > 1e-4)


def test_mass_explained_by_capsule(model):
    batch = constellations()
    outputs = model(model.inputs_of(batch))
    posterior = outputs.votes.posterior_mixing_probs.numpy()  # [B, N, O * 4]
    np.testing.assert_allclose(
        outputs.mass_explained_by_capsule, posterior.reshape(4, 7, 3, 4).sum((1, 3)), rtol=1e-5
    )


@pytest.mark.slow
def test_saves_fits_and_predicts(tmp_path):
    model, batch = small_constellation(), constellations()
    inputs = (batch["corners"], batch["presence"])
    model.compile(optimizer=keras.optimizers.SGD(1e-6))
    history = model.fit(inputs, batch["pattern_id"], batch_size=2, epochs=1, verbose=0).history
    assert 0.0 <= history["segm_acc"][0] <= 1.0
    model.save(tmp_path / "constellation.keras")
    loaded = keras.saving.load_model(tmp_path / "constellation.keras")
    assert [w.path for w in loaded.variables] == [w.path for w in model.variables]
    got, want = loaded(inputs), model(inputs)
    for a, b in zip(tf.nest.flatten(got), tf.nest.flatten(want), strict=True):
        np.testing.assert_array_equal(a, b)
    predicted = loaded.predict(inputs, batch_size=3, verbose=0)
    np.testing.assert_allclose(predicted.caps_presence_soft, want.caps_presence_soft, atol=1e-5)


def test_wrong_options():
    with pytest.raises(UserError, match="capsule_presence must be one of binary, soft, not 'hard'"):
        small_constellation(capsule_presence="hard")
    with pytest.raises(UserError, match="posterior_points must be one of all, present, not 'some'"):
        small_constellation(posterior_points="some")
    with pytest.raises(UserError, match="decoder must be one of capsule, plain, not 'mlp'"):
        small_constellation(decoder="mlp")
