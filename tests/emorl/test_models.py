"""What every model promises, over all kinds of them."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed, UserError
from emorl.configuration import EMORLConfig, SlotAttentionConfig
from emorl.seeded_models import make_efficient_morl, make_slot_attention
from tests.emorl.small_models import KINDS, NET, SIZE, FixedNoise, images, make

every_kind = pytest.mark.parametrize("kind", KINDS)
#: Kinds of models that are not EfficientMORL.
OTHERS = ("slot_attention", "vae")
#: One of each class: for tests that trace.
some_kinds = pytest.mark.parametrize("kind", ["mixture_iodine_gru", "slot_attention", "vae"])


def flat(outputs):
    return [np.asarray(leaf) for leaf in tf.nest.flatten(outputs)]


def assert_close(got, want, rtol=1e-4):
    for a, b in zip(flat(got), flat(want), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * max(1.0, np.abs(b).max(initial=0.0)))


@every_kind
def test_outputs(kind):
    model = make(kind)
    x = images(2)
    outputs = model(x, training=True, seed=3)
    assert all(leaf.shape[0] == 2 for leaf in flat(outputs))
    assert all(np.isfinite(leaf).all() for leaf in flat(outputs))
    means, mask_log_probs = outputs.decoding
    n_slots = 1 if kind == "vae" else 3
    assert means.shape == (2, n_slots, SIZE, SIZE, 3)
    assert mask_log_probs.shape == (2, n_slots, SIZE, SIZE, 1)
    np.testing.assert_allclose(tf.reduce_sum(tf.exp(mask_log_probs), axis=1), 1.0, rtol=1e-5)
    mixed = np.sum(np.exp(mask_log_probs) * means.numpy(), axis=1)
    np.testing.assert_allclose(outputs.decoding.reconstruction, mixed, rtol=1e-5)
    np.testing.assert_array_equal(model.decode(outputs.slots).means, means)
    layers = getattr(outputs, "layers", ())
    attentions = getattr(outputs, "attentions", [layer.attention for layer in layers])
    for attention in attentions:
        assert attention.shape == (2, 3, SIZE, SIZE)
        np.testing.assert_allclose(tf.reduce_sum(attention, axis=1), 1.0, rtol=1e-5)
    if kind not in OTHERS:
        config = model.config
        assert len(outputs.layers) == config.stochastic_layers
        assert len(outputs.stages) == config.refinement_iters + 1
        assert outputs.deltas.shape == (2, config.refinement_iters)
        if outputs.layers:
            first, last = outputs.stages[0], outputs.layers[-1]
            assert_close((last.posterior, last.sample), (first.posterior, first.sample), 0)
            assert_close(model.decode_layers(outputs)[-1], first.decoding, 1e-6)
            assert (outputs.layers[0].posterior.std > 0).numpy().all()


@pytest.mark.parametrize(
    ("make_model", "config_class", "own_rules"),
    [
        (make_efficient_morl, EMORLConfig, "gru/|encoder/position_projection"),
        (make_slot_attention, SlotAttentionConfig, "gru/|encoder/|slot_attention/(to|mlp)_"),
    ],
)
def test_the_gain_is_that_of_xavier_weights_alone(make_model, config_class, own_rules):
    small, large = (make_model(config_class(**NET, **gain), seed=1) for gain in ({}, {"init_gain": 1.0}))
    for a, b in zip(small.trainable_variables, large.trainable_variables, strict=True):
        is_xavier = a.path.endswith("kernel") and not re.search(own_rules, a.path)
        np.testing.assert_allclose(b, np.asarray(a) * (50.0 if is_xavier else 1.0), rtol=1e-5, err_msg=a.path)


@pytest.mark.parametrize(("decoder", "own", "size"), [("small", 32, 10), ("iodine", 64, 10), ("big", 64, 96)])
def test_channels_are_those_of_the_options(decoder, own, size):
    net = {**NET, "image_decoder": decoder, "input_size": (3, size, size)}
    for make_model, config_class in (
        (make_efficient_morl, EMORLConfig),
        (make_slot_attention, SlotAttentionConfig),
    ):
        for given, encoder, hidden in (({}, 64, own), ({"encoder_channels": 5, "decoder_channels": 7}, 5, 7)):
            model = make_model(config_class(**net, **given), seed=1)
            assert [convolution.filters for convolution in model.encoder.convolutions] == [encoder] * 4
            *filters, last = (convolution.filters for convolution in model.decoder.convolutions)
            assert (set(filters), last) == ({hidden}, 4)
            assert model(tf.zeros([1, size, size, 3])).decoding.reconstruction.shape == (1, size, size, 3)


def test_gradients_in_a_graph_for_any_batch_size():
    """The gradient inside a forward pass too; what else graphs promise is tested of all models alike."""
    model = make("one_layer")

    def train(x, key):
        with tf.GradientTape() as tape:
            loss, metrics = model.loss_and_metrics({"image": x}, tf.constant(3), Seed(key))
        gradients = tape.gradient(loss, model.trainable_variables)
        return metrics, [g for g in gradients if g is not None]

    key = tf.constant([5, 6])
    signature = [tf.TensorSpec([None, SIZE, SIZE, 3]), tf.TensorSpec([2], tf.int32)]
    any_size = tf.function(train, input_signature=signature)
    assert_close(any_size(images(2), key), train(images(2), key))


@every_kind
def test_results_do_not_depend_on_the_batch(kind):
    model = make(kind)
    x = images(3)
    alone = [model(x[i : i + 1]) for i in range(3)]
    want = tf.nest.map_structure(lambda *rows: np.concatenate(rows), *alone)
    assert_close(model(x), want)
    assert_close(model(x, seed=9), model(x, seed=9), 0)
    assert np.abs(model(x, seed=9).slots - model(x, seed=8).slots).max() > 1e-3


@some_kinds
def test_predict(kind):
    model = make(kind)
    model.compile(jit_compile=False)
    x = images(3)
    got = model.predict(x.numpy(), batch_size=2, verbose=0)
    want = model(x)
    assert type(got) is type(want)
    assert_close(got, want)


@every_kind
def test_parts_of_a_batch_give_what_the_whole_gives(kind):
    """As on replicas: noise is that of the global batch, and so is the loss that drives refinement."""
    model = make(kind)
    x = images(4)
    whole, parts = Seed.of(7), [Seed(Seed.of(7).key, i, 2) for i in range(2)]
    step = {} if kind in OTHERS else {"step": tf.constant(3)}
    outputs = [model(x[2 * i : 2 * i + 2], training=True, seed=parts[i], **step) for i in range(2)]
    want = model(x, training=True, seed=whole, **step)
    joined = tf.nest.map_structure(lambda *rows: tf.concat(rows, 0), *outputs)
    assert_close(joined, want)
    loss, metrics = model.losses({}, want, **step)
    sums = []
    model.losses({}, outputs[0], lambda s: sums.append(s) or s, **step)
    other, others = model.losses({}, outputs[1], lambda s: s + sums[0], **step)
    assert_close((other, others), (loss, metrics), 1e-5)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "vae"])
def test_slots_are_exchangeable(kind):
    model, order = make(kind), (2, 0, 1)
    x = images(2)
    want = model(x, training=True, seed=FixedNoise())
    got = model(x, training=True, seed=FixedNoise(order))
    assert_close(got.slots, tf.gather(want.slots, order, axis=1))
    assert_close(got.decoding, tf.nest.map_structure(lambda t: tf.gather(t, order, axis=1), want.decoding))
    assert_close(model.losses({}, got), model.losses({}, want))
    assert np.abs(got.slots - want.slots).max() > 1e-2


@every_kind
def test_keras_file(kind, tmp_path):
    model = make(kind)
    if kind not in OTHERS:
        model.geco_beta.assign(0.7)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.config == model.config
    assert {v.path: v.shape for v in loaded.variables} == {v.path: v.shape for v in model.variables}
    x = images(2)
    assert_close(loaded(x), model(x), 0)
    assert_close(loaded(x, training=True, seed=1), model(x, training=True, seed=1), 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one_layer", "slot_attention"])
def test_compile_and_fit(kind):
    model = make(kind)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=False)
    x = images(8).numpy()
    name = "loss" if kind == "slot_attention" else "nll"

    def score():
        return model.evaluate({"image": x}, batch_size=8, verbose=0, return_dict=True)[name]

    before = score()
    model.fit(x, batch_size=4, epochs=5, shuffle=False, verbose=0)
    assert score() < before
    if kind != "slot_attention":
        assert model.geco_C_ema != 0


@every_kind
def test_the_same_seed_gives_the_same_weights(kind):
    one, two = make(kind), make(kind)
    for a, b in zip(one.variables, two.variables, strict=True):
        assert a.path == b.path
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["default", "slot_attention", "vae"])
def test_wrong_images_and_missing_seed(kind):
    model = make(kind)
    with pytest.raises(UserError, match=r"give an array \[B, 10, 10, 3\], not one of \[1, 10, 8, 3\]"):
        model(tf.zeros([1, 10, 8, 3]))
    with pytest.raises(UserError, match="needs a seed"):
        model(images(1), training=True)
