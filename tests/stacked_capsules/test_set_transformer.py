import keras
import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed, UserError
from stacked_capsules.attention import MultiHeadAttention, attend
from stacked_capsules.present_points import PresentPoints
from stacked_capsules.set_transformer import SelfAttention, SetTransformer, dropout

B, N, D = 2, 6, 4
POINTS = tf.random.stateless_normal([B, N, D], [1, 2])
PRESENCE = tf.constant([[1.0, 0.0, 1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
ORDER = [3, 0, 5, 4, 1, 2]


@pytest.mark.parametrize("n_inducing_points", [0, 3])
@pytest.mark.parametrize("presence_mask", ["as_run", "log"])
def test_the_order_of_points_does_not_matter(n_inducing_points, presence_mask):
    options = {"n_inducing_points": n_inducing_points, "presence_mask": presence_mask, "layer_norm": True}
    block = SelfAttention(2, **options)
    moved = block(tf.gather(POINTS, ORDER, axis=1), tf.gather(PRESENCE, ORDER, axis=1))
    np.testing.assert_allclose(moved, tf.gather(block(POINTS, PRESENCE), ORDER, axis=1), atol=2e-6)

    encoder = SetTransformer(2, 2, 8, 12, 5, **options)
    moved = encoder(tf.gather(POINTS, ORDER, axis=1), tf.gather(PRESENCE, ORDER, axis=1))
    assert moved.shape == (B, 5, 12)
    np.testing.assert_allclose(moved, encoder(POINTS, PRESENCE), atol=2e-6)


@pytest.mark.parametrize("presence_mask", ["as_run", "log"])
def test_absent_points_do_not_matter(presence_mask):
    encoder = SetTransformer(2, 2, 8, 12, 5, presence_mask=presence_mask)
    elsewhere = tf.where(PRESENCE[..., tf.newaxis] > 0.0, POINTS, 100.0 * POINTS)
    np.testing.assert_allclose(encoder(elsewhere, PRESENCE), encoder(POINTS, PRESENCE), atol=1e-6)


@pytest.mark.parametrize("presence_mask", ["as_run", "log"])
@pytest.mark.parametrize("n_present", ["some", "none", "fifteen", "sixteen", "soft"])
def test_skipped_points_and_lanes_change_nothing(presence_mask, n_present):
    keras.utils.set_random_seed(0)  # initial weights
    points = 3.0 * tf.random.stateless_normal([4, N, D], [1, 2])
    presence = {
        "some": tf.concat([PRESENCE, [[0.0] * N, [1.0] * N]], 0),  # of one example none, of one all
        "none": tf.zeros([4, N]),
        "fifteen": tf.reshape(tf.cast(tf.range(4 * N) % 8 < 5, tf.float32), [4, N]),
        "sixteen": tf.reshape(tf.cast(tf.range(4 * N) % 3 < 2, tf.float32), [4, N]),
        "soft": tf.nn.relu(tf.random.stateless_uniform([4, N], [0, 1]) - 0.3),
    }[n_present]
    layer_norm = n_present != "fifteen"
    plain = SetTransformer(3, 2, 8, 12, 5, layer_norm=layer_norm, presence_mask=presence_mask)
    plain(points)
    for i, weight in enumerate(plain.weights):  # the same for every encoder; constants too
        weight.assign(weight + 0.3 * tf.random.stateless_normal(weight.shape, [i, 0]))

    def trained(skip_absent, n_lanes):
        encoder = SetTransformer.from_config(
            {**plain.get_config(), "skip_absent": skip_absent, "n_lanes": n_lanes}
        )
        encoder.build(points.shape)
        encoder.set_weights(plain.get_weights())
        direction = tf.random.stateless_normal([4, 5, 12], [3, 4])
        with tf.GradientTape() as tape:
            y = encoder(points, presence, training=True)
            loss = tf.reduce_sum(direction * y)
        return y, tape.gradient(loss, encoder.trainable_weights)

    expected, gradients = trained(False, 1)
    largest = max(np.abs(gradient).max() for gradient in gradients)
    for skip_absent, n_lanes in ((True, 1), (False, 2), (True, 2), (True, 3)):  # three do not divide four
        y, of_weights = trained(skip_absent, n_lanes)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
        for ours, theirs in zip(of_weights, gradients, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-6 * largest)


def test_present_points_stand_in_rows():
    rows = PresentPoints.of(PRESENCE)
    present = tf.boolean_mask(POINTS, PRESENCE > 0.0)  # [9, D]
    packed = rows.pack(POINTS)
    np.testing.assert_array_equal(packed, np.pad(present, [[0, 7], [0, 0]]))
    np.testing.assert_array_equal(rows.presence[:, 0], [1.0] * 9 + [0.0] * 7)
    unpacked = rows.unpack(packed + 1.0)
    np.testing.assert_array_equal(unpacked, 1.0 + POINTS * PRESENCE[..., tf.newaxis])
    assert PresentPoints.of(tf.ones([4, 4])).presence.shape == [32, 1]  # a row is left for absent points
    assert PresentPoints.of(tf.zeros([0, 4])).pack(tf.zeros([0, 4, D])).shape == [16, D]


def test_what_is_skipped_is_not_computed():
    broken = tf.where(PRESENCE[..., tf.newaxis] > 0.0, POINTS, np.nan)
    encoder = SetTransformer(1, 2, 8, 12, 5, skip_absent=True)
    assert np.isnan(encoder(broken, PRESENCE)).any()  # at inference all points are computed
    assert np.isfinite(encoder(broken, PRESENCE, training=True)).all()


@pytest.mark.parametrize(("training", "batch", "n_parts"), [(True, 4, 2), (False, 4, 1), (True, 3, 1)])
def test_lanes_go_beside_each_other_in_training(training, batch, n_parts):
    encoder = SetTransformer(1, 2, 8, 12, 5, n_lanes=2)
    points = tf.zeros([batch, N, D])
    encoder(points)
    graph = tf.function(lambda: encoder(points, training=training)).get_concrete_function().graph
    assert sum(operation.type == "Exp" for operation in graph.get_operations()) == 2 * n_parts


def test_keras_does_not_compile_what_has_no_static_shapes():
    assert SetTransformer().supports_jit
    assert not SetTransformer(skip_absent=True).supports_jit


def test_soft_presences():
    q, k, v = (tf.random.stateless_normal([B, n, D], [n, 0]) for n in (3, 4, 4))
    presence = tf.constant([[0.2, 0.9, 0.3, 0.8]] * B)
    # as the reference runs: the most present key alone
    read = attend(q, k, v, presence)
    np.testing.assert_allclose(read, np.broadcast_to(v[:, 1:2], [B, 3, D]), rtol=1e-6)
    # by the logarithm: half a point twice is a whole point
    whole = attend(q, k, v, tf.ones([B, 4]), "log")
    halves = attend(q, *(tf.concat([x, x], 1) for x in (k, v)), 0.5 * tf.ones([B, 8]), "log")
    np.testing.assert_allclose(halves, whole, atol=1e-6)
    np.testing.assert_allclose(whole, attend(q, k, v), atol=1e-6)


def test_heads_read_apart():
    layer = MultiHeadAttention(2)
    y = layer(POINTS, POINTS, POINTS)
    q, k, v = (tf.split(dense(POINTS), 2, -1) for dense in (layer.query, layer.key, layer.value))
    oracle = layer.combine(tf.concat([attend(*head) for head in zip(q, k, v, strict=True)], -1))
    np.testing.assert_allclose(y, oracle, atol=1e-6)


@pytest.mark.parametrize("presence_mask", ["as_run", "log"])
def test_one_head_reads_before_it_projects(presence_mask):
    encoder = SetTransformer(0, 1, 8, 12, 5, presence_mask=presence_mask)
    encoder(POINTS)
    for i, weight in enumerate(encoder.weights):  # constants too
        weight.assign(0.3 * tf.random.stateless_normal(weight.shape, [i, 0]))
    with tf.GradientTape(persistent=True) as tape:
        z = encoder.project(encoder.embed(POINTS))
        plain = encoder.read_out(encoder.inducing_points, z, z, PRESENCE)
        folded = encoder(POINTS, PRESENCE)
    np.testing.assert_allclose(folded, plain, rtol=1e-4, atol=1e-4)
    weights = [weight.value for weight in encoder.trainable_weights]
    for a, b in zip(tape.gradient(folded, weights), tape.gradient(plain, weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def test_dropout_repeats_for_a_seed_keeps_the_mean_and_needs_training():
    x = tf.ones([50, 40])
    dropped = dropout(x, 0.25, Seed.of(0)).numpy()
    assert set(np.unique(dropped)) == {0.0, np.float32(4.0 / 3.0)}
    assert abs(dropped.mean() - 1.0) < 0.05

    encoder = SetTransformer(2, 2, 8, 12, 5, dropout_rate=0.5)
    still = encoder(POINTS)
    np.testing.assert_array_equal(encoder(POINTS, seed=1), still)
    np.testing.assert_array_equal(encoder(POINTS, training=True), still)
    noisy = encoder(POINTS, training=True, seed=1)
    assert np.abs(noisy - still).max() > 1e-3
    np.testing.assert_array_equal(encoder(POINTS, training=True, seed=1), noisy)
    assert np.abs(encoder(POINTS, training=True, seed=2) - noisy).max() > 1e-3


def test_dropout_drops_the_residual_input_and_not_what_attention_read():
    block = SelfAttention(dropout_rate=0.5)
    block(POINTS)
    block.mlp_output.kernel.assign(tf.zeros_like(block.mlp_output.kernel))  # nothing is added after attention
    read = block.attention(POINTS, POINTS, POINTS)
    kept = (block(POINTS, training=True, seed=Seed.of(1)) - read) / POINTS  # 0 or 1 / (1 - rate)
    np.testing.assert_allclose(kept * (kept - 2.0), 0.0, atol=1e-3)
    assert 0.2 < np.mean(kept > 1.0) < 0.8


def test_wrong_options_are_named():
    with pytest.raises(UserError, match="presence_mask: 'hard' is not known, use as_run or log"):
        SetTransformer(presence_mask="hard")
    with pytest.raises(UserError, match=r"dropout_rate: 1.0 is not in \[0, 1\)"):
        SetTransformer(dropout_rate=1.0)
    for option in ({"n_inducing_points": 3}, {"dropout_rate": 0.1}, {"n_layers": 0}):
        with pytest.raises(UserError, match="skip_absent: with dropout, inducing points or no layers"):
            SetTransformer(skip_absent=True, **option)
    with pytest.raises(UserError, match="n_lanes: 0, but it must be at least 1"):
        SetTransformer(n_lanes=0)


@pytest.mark.parametrize("n_points", [5, 11])
@pytest.mark.parametrize("n_dims", [8, 16, 32])
def test_nobody_present_is_an_even_average_under_xla_too(n_points, n_dims):
    noise = Seed.of(n_dims)
    queries, keys, values = (noise.fold(i).normal((4, n_points, n_dims)) for i in range(3))
    compiled = tf.function(attend, jit_compile=True)(queries, keys, values, tf.zeros((4, n_points)))
    average = tf.reduce_mean(values, 1, keepdims=True)
    np.testing.assert_allclose(compiled, tf.broadcast_to(average, compiled.shape), rtol=1e-5, atol=1e-6)
