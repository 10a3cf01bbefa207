"""The parts of EfficientMORL against the original's."""

import numpy as np
import pytest
import tensorflow as tf

from emorl.attention import slot_attention
from emorl.diagonal_gaussian import DiagonalGaussian, kl_divergence, std_of_variance_logit
from emorl.dual_gru import DualGRU, GRUCell
from emorl.geco import GECO, GECOState, constraint
from emorl.image_decoders import crop_transposed
from emorl.likelihoods import likelihood
from emorl.positional_embedding import positional_embedding
from emorl.refinement import normalize
from emorl.torch_weights import dual_gru_weights
from tests.parity import golden_arrays as ga

FILES = [ga.load(path) for path in ga.golden_files("emorl_units")]


def units(family):
    """Every unit of a family in every file."""
    found = []
    for golden in FILES:
        names = {key.rpartition("/")[0] for key in golden.arrays if not key.startswith("f64err/")}
        names = sorted(n.removesuffix("/grad") for n in names if n.partition("/")[0] == family)
        found += [pytest.param(golden, n, id=f"{golden.meta['case']}-{n}") for n in dict.fromkeys(names)]
    assert found or not FILES, family
    return pytest.mark.parametrize(("golden", "unit"), found)


def tensor(golden, unit, name):
    return tf.constant(golden.arrays[f"{unit}/{name}"])


def compare(golden, unit, outputs=None, gradients=None):
    for name, value in (outputs or {}).items():
        ga.assert_output(golden, f"{unit}/{name}", value)
    for name, value in (gradients or {}).items():
        ga.assert_gradient(golden, f"{unit}/{name}", value)


def channels_last(images):
    """[..., C, H, W] -> [..., H, W, C]."""
    rank = images.shape.rank
    return tf.transpose(images, [*range(rank - 3), rank - 2, rank - 1, rank - 3])


def channels_first(images):
    rank = images.shape.rank
    return tf.transpose(images, [*range(rank - 3), rank - 1, rank - 3, rank - 2])


@units("dualgru")
def test_dual_gru(golden, unit):
    inputs, state, w = (tensor(golden, unit, name) for name in ("input", "h", "w"))
    names = golden.meta["units"][unit]
    torch = {name.removeprefix("cell."): golden.unit_weight(unit, name) for name in names}
    layer = DualGRU(state.shape[-1] // 2)
    layer.build(inputs.shape[1:])
    weights = dual_gru_weights(torch)
    for variable in layer.variables:
        variable.assign(weights[variable.path.partition("/")[2]])
    with tf.GradientTape() as tape:
        tape.watch([inputs, state])
        out = layer(inputs[0], state)
        loss = tf.reduce_sum(out * w)
    d_input, d_h, d_weights = tape.gradient(loss, [inputs, state, layer.trainable_variables])
    compare(golden, unit, {"out": out[None], "state": out}, {"d_input": d_input, "d_h": d_h})
    # Which torch element each of ours is: the same gathering, of indices.
    sizes = np.cumsum([value.size for value in torch.values()])
    places = {
        name: np.arange(end - value.size, end).reshape(value.shape)
        for (name, value), end in zip(torch.items(), sizes, strict=True)
    }
    where, flat = dual_gru_weights(places), np.full(sizes[-1], np.nan)
    for variable, gradient in zip(layer.trainable_variables, d_weights, strict=True):
        flat[where[variable.path.partition("/")[2]].ravel()] = np.ravel(gradient)
    compare(golden, unit, None, {f"grad/cell.{name}": flat[place] for name, place in places.items()})


@units("gru")
def test_gru(golden, unit):
    inputs, state, w = (tensor(golden, unit, name)[0] for name in ("input", "h", "w"))
    ours = {
        "weight_ih_l0": "kernel",
        "weight_hh_l0": "recurrent_kernel",
        "bias_ih_l0": "bias",
        "bias_hh_l0": "recurrent_bias",
    }
    layer = GRUCell(state.shape[-1])
    layer.build(inputs.shape)
    for theirs, name in ours.items():
        getattr(layer, name).assign(golden.unit_weight(unit, theirs).T)
    variables = {theirs: getattr(layer, name).value for theirs, name in ours.items()}
    with tf.GradientTape() as tape:
        tape.watch([inputs, state])
        out = layer(inputs, state)
        loss = tf.reduce_sum(out * w)
    d_input, d_h, d_weights = tape.gradient(loss, [inputs, state, variables])
    compare(
        golden,
        unit,
        {"out": out[None], "hn": out[None]},
        {
            "d_input": d_input[None],
            "d_h": d_h[None],
            **{f"grad/{name}": tf.transpose(gradient) for name, gradient in d_weights.items()},
        },
    )


@units("attention")
def test_attention(golden, unit):
    if f"{unit}/dots" in golden.arrays:
        # The logits are given: queries that pick them out of keys.
        dots = tensor(golden, unit, "dots")  # [B, K, N]
        n_slots = dots.shape[1]
        q = tf.eye(n_slots, batch_shape=[dots.shape[0]])
        k = v = tf.transpose(dots, [0, 2, 1])  # [B, N, K]
        _, attention = slot_attention(q, k, v)
        normalized = attention / tf.reduce_sum(attention, axis=1, keepdims=True)
        compare(golden, unit, {"attn_norm": tf.transpose(normalized, [0, 2, 1])})
        return
    q, k, v, w = (tensor(golden, unit, name) for name in "qkvw")
    with tf.GradientTape() as tape:
        tape.watch([q, k, v])
        updates, attention = slot_attention(q * q.shape[-1] ** -0.5, k, v)
        loss = tf.reduce_sum(updates * w)
    d_q, d_k, d_v = tape.gradient(loss, [q, k, v])
    normalized = attention / tf.reduce_sum(attention, axis=1, keepdims=True)
    compare(
        golden,
        unit,
        {
            "attn": tf.transpose(attention, [0, 2, 1]),
            "attn_norm": tf.transpose(normalized, [0, 2, 1]),
            "updates": updates,
        },
        {"d_q": d_q, "d_k": d_k, "d_v": d_v},
    )


@pytest.mark.parametrize("golden", FILES, ids=lambda golden: golden.meta["case"])
def test_positional_embedding(golden):
    for name in golden.names("posembed/h"):
        height, width, batch = (int(part[1:]) for part in f"h{name}".split("_"))
        ga.assert_output(golden, f"posembed/h{name}", [positional_embedding(height, width)] * batch)
    features = golden.arrays["posembed/projected/feat_nhwc"]
    weight, bias = (golden.unit_weight("posembed/projected", name) for name in ("weight", "bias"))
    got = features + positional_embedding(*features.shape[1:3]) @ weight.T + bias
    ga.assert_output(golden, "posembed/projected/feat_plus", got)


@units("std")
def test_std(golden, unit):
    x = tensor(golden, unit, "x")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = std_of_variance_logit(x)
    compare(golden, unit, {"y": y}, {"d_x": tape.gradient(y, x)})


@units("kl")
def test_kl(golden, unit):
    given = [tensor(golden, unit, name) for name in ("loc_q", "sp_q", "loc_p", "sp_p")]
    with tf.GradientTape() as tape:
        tape.watch(given)
        q = DiagonalGaussian.of_parameters(tf.concat(given[:2], -1))
        p = DiagonalGaussian.of_parameters(tf.concat(given[2:], -1))
        q_p = kl_divergence(q, p)
        q_std = kl_divergence(q, DiagonalGaussian.standard_like(q))
        loss = tf.reduce_sum(q_p + q_std)
    names = ("d_loc_q", "d_sp_q", "d_loc_p", "d_sp_p")
    gradients = dict(zip(names, tape.gradient(loss, given), strict=True))
    compare(golden, unit, {"q_p": q_p, "q_std": q_std}, gradients)


@units("nll")
def test_likelihoods(golden, unit):
    if unit == "nll":  # one number, of extreme values that the notes describe
        images, means = tf.zeros([1, 2, 2, 3]), tf.ones([1, 2, 2, 2, 3])
        logits = tf.reshape([60.0, -60.0], [1, 2, 1, 1, 1]) + tf.zeros([1, 2, 2, 2, 1])
        nll = likelihood("GMM")(images, means, tf.nn.log_softmax(logits, axis=1), np.log(0.01))
        ga.assert_output(golden, "nll/extreme_gmm", nll)
        return
    images, means, logits = (
        channels_last(tensor(golden, unit, name)) for name in ("x", "x_loc", "mask_logits")
    )
    note = golden.meta["notes"][unit]  # log_scale = log(...)
    log_scale = float(np.log(float(note.partition("log(")[2].rstrip(")"))))
    with tf.GradientTape() as tape:
        tape.watch([means, logits])
        nll = likelihood("GMM" if "gmm" in unit else "Gaussian")(
            images, means, tf.nn.log_softmax(logits, axis=1), log_scale
        )
        loss = tf.reduce_sum(nll)
    d_means, d_logits = tape.gradient(loss, [means, logits])
    compare(
        golden,
        unit,
        {"nll": nll},
        {"d_x_loc": channels_first(d_means), "d_mask_logits": channels_first(d_logits)},
    )


@units("geco")
def test_geco(golden, unit):
    notes = golden.meta["notes"][unit]
    names = ("target", "alpha", "step_size_acceleration", "beta_stepsize")
    geco = GECO(warm_start=0, **{name: notes[name] for name in names})
    state = GECOState(*(tf.constant(notes["start"][name], tf.float32) for name in ("C_ema", "beta")))
    rows = []
    for step, nll in enumerate(golden.arrays[f"{unit}/nll"]):
        nll = tf.constant(nll)
        with tf.GradientTape() as tape:
            tape.watch(nll)
            term = constraint(state, nll)
        gradient = tape.gradient(term, nll)
        state = geco.next_state(state, nll, step)
        # The loss is the KL minus their constraint, plus ours.
        rows.append([-term, -gradient, state.C_ema, state.beta])
    for column, want in zip(np.array(rows).T, golden.arrays[f"{unit}/rows"].T, strict=True):
        np.testing.assert_allclose(column, want, rtol=1e-6, atol=1e-6 * np.abs(want).max())


@units("convT")
def test_transposed_convolution(golden, unit):
    x = channels_last(tensor(golden, unit, "x"))
    weight, bias = (tf.constant(golden.unit_weight(unit, name)) for name in ("weight", "bias"))
    convolution = tf.keras.layers.Conv2DTranspose(weight.shape[1], weight.shape[2], 2)
    convolution.build(x.shape)
    convolution.kernel.assign(tf.transpose(weight, [2, 3, 1, 0]))
    convolution.bias.assign(bias)
    with tf.GradientTape() as tape:
        tape.watch(x)
        full = convolution(x)
        rows = crop_transposed(full, weight.shape[2], 2 * x.shape[1])
        # The models' images are square, this one is not.
        y = crop_transposed(full, weight.shape[2], 2 * x.shape[2])[:, : 2 * x.shape[1]]
        loss = tf.reduce_sum(tf.square(y))
    assert rows.shape[1] == 2 * x.shape[1]
    d_x, d_weight, d_bias = tape.gradient(loss, [x, convolution.kernel.value, convolution.bias.value])
    compare(
        golden,
        unit,
        {"y": channels_first(y)},
        {
            "d_x": channels_first(d_x),
            "grad/weight": tf.transpose(d_weight, [3, 2, 0, 1]),
            "grad/bias": d_bias,
        },
    )


@units("layernorm")
def test_layer_norm(golden, unit):
    compare(golden, unit, {"y": normalize(tensor(golden, unit, "x"))})
