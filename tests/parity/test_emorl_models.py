"""EfficientMORL and Slot Attention against the original's forward passes, gradients and training steps.

The models run in float64 here. In float32 some of the decoder's millions of ReLUs lie so close to zero that
another order of summation flips one; the gradient that drives refinement then changes by a little, and with
it all that follows. The original's own float32 and float64 runs differ by `f64err`; ours in float64 are as
close to its float32 as that. What float32 gives is compared below, up to refinement at the same tolerance.
"""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from discovery.training.gradient_clipping import Clipping
from discovery.training.optimizers import Adam
from discovery.training.schedules import WarmUpAndDecay
from tests.parity import golden_arrays as ga
from tests.parity.emorl_reference import (
    ReferenceNoise,
    by_path,
    images_of,
    make_model,
    reference_outputs,
    set_weights,
    torch_layout,
)

FORWARD = pytest.mark.parametrize("path", ga.golden_files("emorl"), ids=lambda path: path.stem)
EVALUATED = [path for path in ga.golden_files("emorl") if ga.load(path).meta["config"]["mode"] == "eval"]
TRAINING = pytest.mark.parametrize("path", ga.golden_files("emorl_train"), ids=lambda path: path.stem)
#: GECO's beta and moving average are compared relatively.
GECO_RTOL = 1e-6


@pytest.fixture
def float64():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(policy)


def run(golden, dtype):
    """The model, its outputs, loss and metrics, and the tape.

    The original computes the same in training and evaluation, so its evaluation of a batch is compared with
    our training mode: at inference ours takes each image's own loss. See `test_inference`.
    """
    meta = golden.meta
    model = make_model(meta)
    set_weights(model, golden)
    config = meta["config"]
    step = {} if config["model"] == "SlotAttention" else {"step": config["global_step"]}
    noise = ReferenceNoise(meta["seed"], meta["noise_tag"])
    with tf.GradientTape() as tape:
        outputs = model(images_of(golden, "x", dtype), training=True, seed=noise, **step)
        loss, metrics = model.losses({}, outputs, **step)
    return model, outputs, loss, metrics, tape


def scalars(golden, metrics):
    """The metrics under the reference's names."""
    named = {"total_loss": metrics["loss"]}
    if "kl" in metrics:
        named |= {"nll": metrics["nll"], "kl": metrics["kl"]}
        deltas = [v for k, v in metrics.items() if k.startswith("norm_delta_lamda_")]
        named |= {"deltas": tf.stack(deltas)} if deltas else {}
    return named


@FORWARD
def test_forward_and_gradients(path, float64):
    golden = ga.load(path)
    model, outputs, loss, metrics, tape = run(golden, "float64")
    got = {**scalars(golden, metrics), **reference_outputs(outputs)}
    if hasattr(outputs, "stages"):
        noise = ReferenceNoise(golden.meta["seed"], golden.meta["posterior_noise_tag"])
        step = golden.meta["config"]["global_step"]
        images = images_of(golden, "x", "float64")
        posterior = model(images, training=True, seed=noise, step=step).stages[-1].posterior
        z = golden.meta["config"]["net"]["z_size"]
        got["posterior_mean"] = tf.reshape(posterior.mean, [-1, z])
        got["posterior_std"] = tf.reshape(posterior.std, [-1, z])
    assert set(got) == set(golden.names("out/"))
    for key, value in got.items():
        ga.assert_output(golden, f"out/{key}", value)
    compare_gradients(golden, model, tape.gradient(loss, model.trainable_variables))


def compare_gradients(golden, model, gradients, rtol=ga.GRADIENT_RTOL, atol=0.0):
    names = golden.names("grad/")
    if not names:
        assert golden.meta["config"]["grads"] is False
        return
    paths = [variable.path.partition("/")[2] for variable in model.trainable_variables]
    given = {p: g for p, g in zip(paths, gradients, strict=True) if g is not None}
    gradients = torch_layout(golden.meta["variables"], given)
    without = {name for name, gradient in gradients.items() if np.isnan(gradient).all()}
    assert without == set(golden.meta["no_gradient"])
    assert set(names) == set(gradients) - without
    for name in names:
        keys = {"key": f"grad/{name}", "sample_key": f"gradsample/{name}"}
        zero = atol if name in golden.meta["zero_grads"] else 0.0
        ga.assert_projected(golden, name=name, got=gradients[name], rtol=rtol, atol=zero, **keys)


@pytest.mark.parametrize("path", EVALUATED, ids=lambda path: path.stem)
def test_inference(path, float64):
    """Every image of a batch comes out as the original's evaluation, one image at a time, has it."""
    golden = ga.load(path)
    meta = golden.meta
    model = make_model(meta)
    set_weights(model, golden)
    noise = ReferenceNoise(meta["seed"], meta["noise_tag"])
    images = images_of(golden, "x", "float64")
    step = {} if meta["config"]["model"] == "SlotAttention" else {"step": meta["config"]["global_step"]}
    got = reference_outputs(model(images, training=False, seed=noise, **step))
    for i in range(len(images)):
        alone = dataclasses.replace(noise, rows=(i, len(images)))
        want = reference_outputs(model(images[i : i + 1], training=True, seed=alone, **step))
        for key, value in want.items():
            np.testing.assert_allclose(got[key][i : i + 1], value, rtol=1e-9, atol=1e-9, err_msg=key)


@FORWARD
def test_float32(path):
    """Before refinement as closely as float64; after it, one flipped ReLU changes values by up to 1e-3."""
    golden = ga.load(path)
    model, outputs, loss, metrics, tape = run(golden, "float32")
    last = len(outputs.layers) - 1 if hasattr(outputs, "layers") else 0
    exact = {"slots", "x_means", "masks", f"means_{last}", f"masks_{last}"}
    for key, value in {**scalars(golden, metrics), **reference_outputs(outputs)}.items():
        before_refinement = key in exact or key.startswith("attn")
        ga.assert_output(golden, f"out/{key}", value, ga.OUTPUT_RTOL if before_refinement else 1e-3)
    gradients = tape.gradient(loss, model.trainable_variables)
    # What is exactly zero is a sum of terms of the size of all gradients.
    rounding = 1e-6 * float(tf.linalg.global_norm(gradients))
    compare_gradients(golden, model, gradients, rtol=1e-3, atol=rounding)


@TRAINING
def test_three_steps(path, float64):
    golden = ga.load(path)
    meta, train = golden.meta, golden.meta["config"]["train"]
    model = make_model(meta)
    set_weights(model, golden)
    masters = [tf.cast(v, tf.float32) for v in model.trainable_variables]  # as stored by the original
    start = by_name(golden, model, masters)
    is_emorl = meta["config"]["model"] != "SlotAttention"
    adam = Adam(*meta["optimizer"]["betas"], meta["optimizer"]["eps"])
    slots = adam.init(masters)
    schedule = WarmUpAndDecay(train["lr"], train["warmup"])
    clipping = Clipping(norm=train.get("clip") or 0.0, norm_per_parameter=False, norm_margin=1e-6)
    for i in range(train["nsteps"]):
        step = int(golden.arrays[f"step{i}/step"])
        assert step == train["start_step"] + i
        batch = {"image": images_of(golden, f"step{i}/x", "float64")}
        noise = ReferenceNoise(meta["seed"], i + 1)
        with tf.GradientTape() as tape:
            loss, metrics = model.loss_and_metrics(batch, tf.constant(step), noise)
        gradients = tape.gradient(loss, model.trainable_variables)
        gradients = [None if g is None else tf.cast(g, tf.float32) for g in gradients]
        for key, value in scalars(golden, metrics).items():
            ga.assert_output(golden, f"step{i}/{key}", value)
        ga.assert_output(golden, f"step{i}/lr", schedule(tf.constant(step)))
        ga.assert_output(
            golden, f"step{i}/grad_norm", tf.linalg.global_norm(gradients), rtol=ga.GRADIENT_RTOL
        )
        gradients, _ = clipping.clip(gradients)
        masters, slots = adam.update(gradients, slots, masters, schedule(tf.constant(step)), tf.constant(i))
        for variable, value in zip(model.trainable_variables, masters, strict=True):
            variable.assign(tf.cast(value, tf.float64))
        for variable, value in model.after_step(metrics, tf.constant(step)):
            variable.assign(value)
        if is_emorl:
            for name in ("geco_C_ema", "geco_beta"):
                ga.assert_output(golden, f"step{i}/{name}", by_path(model)[name], rtol=GECO_RTOL)
        prefix = f"delta{i + 1}/"
        for name in golden.names(prefix):
            change = by_name(golden, model, masters)[name] - start[name]
            sample_key = f"delta{i + 1}sample/{name}"
            ga.assert_projected(golden, prefix + name, name, change, ga.UPDATE_RTOL, sample_key=sample_key)


def by_name(golden, model, values):
    paths = [variable.path.partition("/")[2] for variable in model.trainable_variables]
    return torch_layout(golden.meta["variables"], dict(zip(paths, values, strict=True)))
