import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules.geometry import geometric_transform
from stacked_capsules.object_capsules import CapsuleLayer


def capsules(batch_size=2, n_caps=3, **options):
    """Returns a layer with random weights, and features for it."""
    layer = CapsuleLayer(**{"n_caps": n_caps, "n_votes": 4, "n_caps_params": 6, "n_hiddens": 8, **options})
    layer.build((None, n_caps, 5))
    rng = np.random.default_rng(0)
    for weight in layer.trainable_variables:
        weight.assign(0.5 * rng.normal(size=weight.shape))
    return layer, tf.constant(rng.normal(size=(batch_size, n_caps, 5)).astype(np.float32))


@pytest.mark.parametrize("similarity", [True, False])
def test_vote_is_object_pose_times_relation(similarity):
    layer, features = capsules(similarity_transform=similarity, deformations=False)
    layer.votes_mlp.dense[-1].kernel.assign(0.0 * layer.votes_mlp.dense[-1].kernel)
    got = layer(features)
    pose = geometric_transform(layer.object_viewer_bias.value, similarity, as_matrix=True)  # [O, 1, 3, 3]
    relation = geometric_transform(
        layer.static_relations.value, similarity, as_matrix=True
    )  # [1, O, V, 3, 3]
    np.testing.assert_allclose(got.vote, tf.repeat(pose @ relation, 2, axis=0), atol=1e-6)
    np.testing.assert_array_equal(got.dynamic_weights_l2, [0.0, 0.0])
    np.testing.assert_array_equal(got.scale, tf.ones([2, 3, 4]))


def test_parents_decide_pose_and_presence():
    layer, features = capsules()
    free = layer(features)
    parent = geometric_transform(tf.random.stateless_normal([2, 3, 1, 6], [0, 1]), as_matrix=True)
    presence = tf.constant([[[0.0], [0.5], [1.0]]] * 2)
    got = layer(features, parent, presence)
    relation = tf.linalg.inv(geometric_transform_of(layer, free)) @ free.vote  # [B, O, V, 3, 3]
    np.testing.assert_allclose(got.vote, parent @ relation, atol=1e-4)
    np.testing.assert_allclose(got.vote_presence_prob, presence * tf.sigmoid(free.pres_logit_per_vote))


def geometric_transform_of(layer, free):
    """Recovers the predicted object poses from the parameters."""
    ones = tf.ones_like(free.raw_caps_params[..., :1])
    outputs = layer.votes_mlp(tf.concat([free.raw_caps_params, ones], -1))
    pose = outputs[..., 24:30][:, :, tf.newaxis] + layer.object_viewer_bias  # after the 4 * 6 relations
    return geometric_transform(pose, layer.similarity_transform, as_matrix=True)  # [B, O, 1, 3, 3]


def test_features_may_serve_as_parameters():
    layer, features = capsules(n_caps_params=None)
    assert layer.params_mlp is None
    np.testing.assert_array_equal(layer(features).raw_caps_params, features)


def test_dropout_drops_with_its_probability_and_in_training_only():
    layer, features = capsules(batch_size=2000, caps_dropout_rate=0.3)
    presence = layer(features, training=True, seed=1).vote_presence_prob.numpy()  # [B, O, V]
    dropped = (presence == 0.0).all(-1)
    assert dropped.mean() == pytest.approx(0.3, abs=0.02)
    assert (presence[~dropped] > 0.0).all()
    assert (layer(features, training=False, seed=1).vote_presence_prob.numpy() > 0.0).all()
    assert (layer(features, training=True).vote_presence_prob.numpy() > 0.0).all()


@pytest.mark.parametrize(
    ("noise_type", "std"), [("uniform", 3 / 12**0.5), ("logistic", 3 * np.pi / 3**0.5), ("normal", 3.0)]
)
def test_noise_has_its_distribution(noise_type, std):
    layer, features = capsules(batch_size=3000, noise_type=noise_type, noise_scale=3.0)
    clean, noisy = layer(features), layer(features, training=True, seed=5)
    per_caps = noisy.pres_logit_per_caps - clean.pres_logit_per_caps
    per_vote = noisy.pres_logit_per_vote - clean.pres_logit_per_vote
    for noise in (per_caps, per_vote):
        assert np.mean(noise) == pytest.approx(0.0, abs=0.05 * std)
        assert np.std(noise) == pytest.approx(std, rel=0.05)
    if noise_type == "uniform":
        assert np.abs(per_vote).max() <= 1.5 + 1e-5
    assert abs(np.corrcoef(np.ravel(per_caps), np.ravel(per_vote[..., 0]))[0, 1]) < 0.05


def test_noise_only_in_training_unless_asked_for():
    layer, features = capsules(noise_type="uniform", noise_scale=4.0)
    clean = layer(features).pres_logit_per_vote
    np.testing.assert_array_equal(layer(features, seed=1).pres_logit_per_vote, clean)
    np.testing.assert_array_equal(layer(features, training=True).pres_logit_per_vote, clean)
    layer.eval_noise = True
    assert not np.allclose(layer(features, seed=1).pres_logit_per_vote, clean)
    np.testing.assert_array_equal(layer(features).pres_logit_per_vote, clean)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_type": "poisson"}, "'poisson' is not known, use one of none, uniform, logistic, normal"),
        ({"caps_dropout_rate": 1.0}, r"caps_dropout_rate 1.0 is not in \[0, 1\)"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(UserError, match=message):
        CapsuleLayer(n_caps=2, n_votes=2, **options)
