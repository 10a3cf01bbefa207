import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed, UserError
from stacked_capsules.batched_dense import BatchedDense
from stacked_capsules.image_autoencoder import scale_gradient
from stacked_capsules.image_losses import LEARNERS
from stacked_capsules.sobel import normalized_sobel_edges
from tests.stacked_capsules import small_models
from tests.stacked_capsules.small_models import images, losses_by_halves

small_scae = functools.partial(small_models.small_scae, pixel_likelihood="whole")  # nothing to compile


@pytest.fixture(scope="module")
def model():
    return small_scae()


def test_two_replicas_get_the_loss_of_the_whole_batch(model):
    batch = images()
    loss, metrics = model.losses(batch, model(batch["image"]))
    for loss_of_half, metrics_of_half in losses_by_halves(model, batch):
        np.testing.assert_allclose(loss_of_half, loss, rtol=1e-5)
        assert set(metrics_of_half) == set(metrics)
        for name, value in metrics.items():
            np.testing.assert_allclose(metrics_of_half[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_labels_are_optional(model):
    batch = images()
    outputs = model(batch["image"])
    loss, metrics = model.losses({"image": batch["image"]}, outputs)
    assert not any("cls" in name for name in metrics)
    with_labels = model.losses(batch, outputs)
    xe = with_labels[1]["prior_cls_xe"] + with_labels[1]["posterior_cls_xe"]
    np.testing.assert_allclose(with_labels[0] - loss, xe, rtol=1e-3)


def test_probes_learn_from_labeled_examples_alone(model):
    batch = images()
    gradients = {}
    for labeled in ([1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]):
        with tf.GradientTape() as tape:
            loss, _ = model.losses({**batch, "labeled": tf.constant(labeled)}, model(batch["image"]))
        gradients[sum(labeled)] = tape.gradient(loss, model.prior_probe.linear.bias.value)
    assert np.any(gradients[4])
    assert not np.any(gradients[0])
    logits = model(batch["image"]).prior_class_logits[:2]
    by_hand = tf.nn.softmax(logits) - tf.one_hot(batch["label"][:2], 6)  # [2, n_classes]
    np.testing.assert_allclose(gradients[2], tf.reduce_sum(by_hand, 0) / 4, atol=1e-6)


def test_weight_decay_is_of_all_kernels():
    model, batch = small_scae(weight_decay=0.1), images()
    layers = (keras.layers.Dense, keras.layers.Conv2D, BatchedDense)
    kernels = [layer.kernel for layer in model._flatten_layers() if isinstance(layer, layers)]
    kernels.append(model.part_encoder.kernel)
    assert len(kernels) == 4 + 1 + 2 + 3 * 6 + 4 + 4 + 2  # CNN, parts, transformer, capsules, probes
    outputs = model(batch["image"])
    loss, metrics = model.losses(batch, outputs)
    half_squared = sum(0.5 * np.sum(np.square(kernel.numpy())) for kernel in kernels)
    np.testing.assert_allclose(metrics["weight_decay_loss"], half_squared, rtol=1e-5)
    model.config = dataclasses.replace(model.config, weight_decay=0.0)
    np.testing.assert_allclose(loss - model.losses(batch, outputs)[0], 0.1 * half_squared, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"n_part_special_features": 0}, {"weight_decay": 0.1}])
def test_parts_and_objects_learn_alone_as_they_do_together(options):
    """Where nothing couples the two, each learns alone by the gradients that it has beside the other."""
    model = small_scae(**options, special_features_gradient=0.0, caps_ll_weight=1.0)
    model.part_encoder.noise_scale = 0.0
    batch, of_parts = images(), ("part_encoder", "part_decoder")
    losses, gradients = {}, {}
    for learn in LEARNERS:
        with tf.GradientTape() as tape:
            losses[learn] = model.loss_and_metrics(batch, tf.constant(0), Seed.of(1), learn=learn)
        gradients[learn] = tape.gradient(losses[learn][0], model.trainable_variables)
    for variable, whole, *alone in zip(model.trainable_variables, *gradients.values(), strict=True):
        learner, other = alone if variable.path.split("/")[1] in of_parts else reversed(alone)
        assert other is None, variable.path
        if whole is not None:
            np.testing.assert_allclose(learner, whole, rtol=1e-5, atol=1e-6, err_msg=variable.path)
    (_, of_all), (_, parts), (_, objects) = losses.values()
    assert {*parts, *objects} == {*of_all}
    assert {"mse", "rec_ll"} <= {*parts} - {*objects}
    assert {"log_prob", "prior_cls_acc"} <= {*objects} - {*parts}
    for name, value in {**parts, **objects}.items():
        if name not in ("loss", "weight_decay_loss"):
            np.testing.assert_allclose(value, of_all[name], rtol=1e-5, err_msg=name)


def test_finished_parts_are_seen_without_their_noise():
    model, batch = small_scae(), images()
    model.object_decoder.capsules.noise_scale = 0.0
    first, second = (
        model.loss_and_metrics(batch, tf.constant(0), Seed.of(seed), learn="objects")[0] for seed in (1, 2)
    )
    np.testing.assert_array_equal(first, second)


def test_part_presences_can_be_penalized(model):
    batch = images()
    outputs = model(batch["image"])
    model.config = dataclasses.replace(model.config, primary_caps_sparsity_weight=2.0)
    penalized, metrics = model.losses(batch, outputs)
    model.config = dataclasses.replace(model.config, primary_caps_sparsity_weight=0.0)
    np.testing.assert_allclose(
        metrics["primary_caps_l1"], tf.reduce_sum(outputs.parts.presence) / 4, rtol=1e-6
    )
    difference = penalized - model.losses(batch, outputs)[0]
    np.testing.assert_allclose(difference, 2.0 * metrics["primary_caps_l1"], rtol=1e-3)


def test_no_loss_needs_the_pictures(model):
    batch = images()
    outputs = model(batch["image"])
    heavy = outputs.reconstruction._replace(mean=None, transformed_templates=None, mixing_prob=None)
    model.losses(batch, outputs._replace(top_down=None, templates=None, reconstruction=heavy))


def test_per_capsule_reconstruction_pairs_right_image_and_presence():
    model, batch = small_scae(colorize_templates=True, n_channels=1), images()
    outputs = model(batch["image"])
    got = model.per_capsule_reconstruction(outputs)
    assert got.shape == (4, 3, 23, 23, 1)
    for b, o in ((0, 0), (1, 2), (3, 1)):
        vote, prob = outputs.objects.vote[b, o], outputs.objects.vote_presence_prob[b, o]
        templates = model.part_decoder.make_templates(outputs.parts.feature[b : b + 1])
        presence = (prob * outputs.parts.presence[b])[tf.newaxis]
        alone = model.part_decoder(vote[tf.newaxis], presence, templates).mixture.mode()[0]
        np.testing.assert_allclose(got[b, o], alone, atol=1e-6)


@pytest.mark.parametrize("vote_type", ["enc", "soft", "hard"])
@pytest.mark.parametrize("pres_type", ["enc", "soft", "hard"])
def test_reconstruction_is_made_of_the_chosen_poses_and_presences(vote_type, pres_type):
    model, batch = small_scae(vote_type=vote_type, pres_type=pres_type), images()
    with tf.GradientTape() as tape:
        outputs = model(batch["image"])
        log_prob = tf.reduce_sum(outputs.reconstruction.log_likelihood)
    votes, parts = outputs.votes, outputs.parts
    pose = {"enc": parts.pose, "soft": votes.soft_winner, "hard": votes.winner}[vote_type]
    presence = {"enc": parts.presence, "soft": votes.soft_winner_pres, "hard": votes.winner_pres}[pres_type]
    alone = model.part_decoder(pose, presence, outputs.templates).mixture
    np.testing.assert_allclose(outputs.reconstruction.mean, alone.mean(), atol=1e-5)
    gradient = tape.gradient(log_prob, model.object_decoder.likelihood.dummy_vote.value)
    assert (gradient is not None) == (vote_type == "soft")


def test_stopped_gradients():
    batch = images()
    reached = {}
    for stop in (False, True):
        model = small_scae(stop_grad_caps_inpt=stop, stop_grad_caps_target=stop)
        kernel = model.part_encoder.kernel.value
        with tf.GradientTape() as tape:
            log_prob = tf.reduce_sum(model(batch["image"]).votes.log_prob)
        by_templates, by_parts = tape.gradient(log_prob, [model.part_decoder.template_logits.value, kernel])
        reached[stop] = by_templates is not None and bool(np.any(by_templates))
        assert np.any(by_parts)  # special features are never stopped
    assert reached == {False: True, True: False}


def test_the_gradient_of_special_features_can_be_scaled():
    """With all others stopped, they are the only way from the objects to the part encoder."""
    batch, gradients, likelihoods = images(), {}, {}
    for factor in (0.0, 0.3, 1.0):
        model = small_scae(special_features_gradient=factor)
        kernels = [model.part_encoder.kernel.value, model.object_decoder.capsules.trainable_weights[0].value]
        with tf.GradientTape() as tape:
            log_prob = model(batch["image"]).votes.log_prob
        gradients[factor], of_objects = tape.gradient(log_prob, kernels)
        assert np.any(of_objects)
        likelihoods[factor] = log_prob
    assert np.any(gradients[1.0])
    assert not np.any(gradients[0.0])
    np.testing.assert_allclose(gradients[0.3], 0.3 * gradients[1.0], rtol=1e-4, atol=1e-6)
    for factor in (0.0, 0.3):
        np.testing.assert_array_equal(likelihoods[factor], likelihoods[1.0])


def test_as_published_the_gradient_of_special_features_is_left_alone():
    x = tf.constant([1.0])
    assert scale_gradient(x, 1.0) is x


def test_edges_can_be_reconstructed():
    model, batch = small_scae(prep="sobel"), images()
    outputs = model(batch["image"])
    templates = model.part_decoder.make_templates(outputs.parts.feature)
    mixture = model.part_decoder(outputs.parts.pose, outputs.parts.presence, templates).mixture
    edges = normalized_sobel_edges(batch["image"])
    np.testing.assert_allclose(outputs.reconstruction.log_prob, mixture.log_prob(edges), rtol=1e-5)
    error = tf.reduce_sum(tf.square(edges - mixture.mode())) / 4
    np.testing.assert_allclose(model.losses(batch, outputs)[1]["mse"], error, rtol=1e-5)


def test_templates_may_be_kept_from_the_object_encoder():
    model = small_scae(feed_templates=False)
    assert model.object_encoder.embed.kernel.shape[0] == 6 + 1 + 3
    assert np.all(np.isfinite(model(images()["image"]).votes.log_prob))


def test_object_presences_are_those_of_the_outputs(model):
    image = images()["image"]
    outputs = model(image)
    prior, posterior = model.object_presences(image)
    np.testing.assert_allclose(prior, outputs.caps_presence_prob, atol=1e-6)
    np.testing.assert_allclose(posterior, outputs.mass_explained_by_capsule, atol=1e-6)


def test_noise_needs_training_and_seed(model):
    image = images()["image"]
    clean = model(image).caps_presence_prob
    np.testing.assert_array_equal(model(image, training=True).caps_presence_prob, clean)
    np.testing.assert_array_equal(model(image, seed=3).caps_presence_prob, clean)
    noisy = model(image, training=True, seed=3).caps_presence_prob
    assert not np.allclose(noisy, clean)
    np.testing.assert_array_equal(model(image, training=True, seed=3).caps_presence_prob, noisy)
    asked_for = small_scae(eval_noise=True)
    asked_for.set_weights(model.get_weights())
    np.testing.assert_allclose(asked_for(image, seed=3).caps_presence_prob, noisy, atol=1e-6)


@pytest.mark.slow
def test_saves_fits_and_predicts(tmp_path):
    model, batch = small_scae(use_alpha_channel=True, colorize_templates=True), images()
    model.compile(optimizer=keras.optimizers.SGD(1e-5))
    history = model.fit(batch["image"], batch["label"], batch_size=2, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"][0])
    assert "posterior_cls_acc" in history
    model.save(tmp_path / "scae.keras")
    loaded = keras.saving.load_model(tmp_path / "scae.keras")
    assert [w.path for w in loaded.variables] == [w.path for w in model.variables]
    for got, want in zip(
        tf.nest.flatten(loaded(batch["image"])), tf.nest.flatten(model(batch["image"])), strict=True
    ):
        np.testing.assert_array_equal(got, want)
    predicted = loaded.predict(batch["image"], batch_size=3, verbose=0)
    np.testing.assert_allclose(predicted.prior_presence, model(batch["image"]).caps_presence_prob, atol=1e-6)
    assert np.isfinite(loaded.evaluate(batch["image"], batch["label"], return_dict=True, verbose=0)["loss"])


@pytest.mark.slow
def test_compiles_for_any_batch(model):
    batch = images()

    @tf.function(jit_compile=True)
    def compiled(image):
        return model(image, training=True, seed=7).caps_presence_prob

    @tf.function(input_signature=[tf.TensorSpec([None, 23, 23, 1])])
    def any_batch(image):
        outputs = model(image, training=True, seed=7)
        return outputs.caps_presence_prob, model.losses({"image": image}, outputs)[0]

    want = model(batch["image"], training=True, seed=7)
    np.testing.assert_allclose(compiled(batch["image"]), want.caps_presence_prob, atol=1e-5)
    presence, loss = any_batch(batch["image"])
    np.testing.assert_allclose(presence, want.caps_presence_prob, atol=1e-5)
    np.testing.assert_allclose(loss, model.losses({"image": batch["image"]}, want)[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vote_type": "loud"}, "vote_type must be one of enc, soft, hard, not 'loud'"),
        ({"pres_type": "loud"}, "pres_type must be one of enc, soft, hard, not 'loud'"),
        ({"prep": "canny"}, "prep must be one of none, sobel, not 'canny'"),
        (
            {"prior_sparsity_loss_type": "l1"},
            "prior_sparsity_loss_type must be one of entropy, kl, l2",
        ),
        ({"encoder_type": "fc"}, "encoder_type must be one of linear, conv, conv_att, not 'fc'"),
        ({"template_nonlin": "relu7"}, "template_nonlin: 'relu7'"),
        ({"template_size": 24}, "larger than the canvas"),
        ({"presence_mask": "none"}, "presence_mask must be one of as_run, log, not 'none'"),
        ({"n_obj_caps": 0}, "n_obj_caps must be an integer of at least 1, not 0"),
        ({"cnn_strides": (2, 2, 2, 2)}, "too small"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(UserError, match=message):
        small_scae(**options)


def test_whole_batches_teach_what_blocks_do():
    losses, gradients = [], []
    for how in ("blocks", "whole"):
        model = small_scae(pixel_likelihood=how, use_alpha_channel=True, colorize_templates=True)
        with tf.GradientTape() as tape:
            loss, _ = model.loss_and_metrics(images(), 0, Seed.of(0))
        losses.append(loss)
        gradients.append(tape.gradient(loss, [w.value for w in model.trainable_weights]))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    for weight, one, other in zip(model.trainable_weights, *gradients, strict=True):
        assert (one is None) == (other is None), weight.path
        if one is not None:
            assert tf.norm(other - one) <= 1e-5 * tf.norm(one), weight.path
