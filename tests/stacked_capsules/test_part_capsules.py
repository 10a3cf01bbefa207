import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules.geometry import geometric_transform
from stacked_capsules.part_capsules import PartCapsuleEncoder

IMAGES = tf.random.stateless_uniform([2, 14, 12, 1], [0, 0])


def encoder_of(encoder_type="conv_att", **options):
    encoder = PartCapsuleEncoder(
        4, n_features=3, encoder_type=encoder_type, filters=[6, 5], strides=[2, 1], **options
    )
    encoder.build(IMAGES.shape)
    rng = np.random.default_rng(0)
    for w in encoder.weights:
        w.assign(0.5 * rng.normal(size=w.shape))
    return encoder


@pytest.mark.parametrize("encoder_type", ["conv", "conv_att"])
def test_pooling_before_the_map_is_pooling_after_it(encoder_type):
    encoder = encoder_of(encoder_type)
    parts = encoder(IMAGES)
    x = (parts.image_embedding + encoder.position_bias).numpy().reshape(2, -1, 5)  # [B, L, C]
    mapped = x @ encoder.kernel.numpy() + encoder.bias.numpy()  # [B, L, outputs]
    if encoder_type == "conv":
        capsules = mapped.mean(1).reshape(2, 4, 10)
    else:
        values, logits = mapped[..., :40].reshape(2, -1, 10, 4), mapped[..., 40:]
        attn = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)  # [B, L, P]
        capsules = (values * attn[:, :, None]).sum(1).reshape(2, 4, 10)  # reshaped, not transposed
    np.testing.assert_allclose(parts.pose, geometric_transform(capsules[..., :6]), atol=1e-5)
    np.testing.assert_allclose(parts.feature, capsules[..., 6:9], atol=1e-4)
    np.testing.assert_allclose(parts.presence_logit, capsules[..., 9], atol=1e-4)
    np.testing.assert_allclose(parts.presence, 1 / (1 + np.exp(-capsules[..., 9])), atol=1e-5)


def test_noise_is_for_training_with_a_seed():
    encoder = encoder_of()
    still = encoder(IMAGES).presence_logit
    np.testing.assert_array_equal(encoder(IMAGES, training=True).presence_logit, still)
    np.testing.assert_array_equal(encoder(IMAGES, seed=1).presence_logit, still)
    noise = encoder(IMAGES, training=True, seed=1).presence_logit - still
    assert 0.1 < np.abs(noise).max() <= 2.0
    with_noise = encoder_of(eval_noise=True)(IMAGES, seed=1).presence_logit
    np.testing.assert_allclose(with_noise - still, noise, atol=1e-6)


def test_without_features_there_are_none():
    encoder = PartCapsuleEncoder(4, n_features=0, encoder_type="linear", filters=[6], strides=[2])
    parts = encoder(IMAGES)
    assert parts.feature is None
    assert parts.pose.shape == (2, 4, 6)
    assert parts.image_embedding.shape == (2, 6, 5, 6)


def test_wrong_options_are_named():
    with pytest.raises(
        UserError, match="encoder_type: 'mlp' is not known, use one of linear, conv, conv_att"
    ):
        PartCapsuleEncoder(encoder_type="mlp")
    with pytest.raises(UserError, match="n_part_caps_dims: 5, but a pose is made of 6 numbers"):
        PartCapsuleEncoder(n_caps_dims=5)
    with pytest.raises(UserError, match="2 layers, but 1 strides"):
        PartCapsuleEncoder(filters=[3, 3], strides=[1])
    with pytest.raises(UserError, match=r"images of \(8, 8\) are too small"):
        PartCapsuleEncoder().build((None, 8, 8, 1))
