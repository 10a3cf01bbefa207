"""Checkpoints of the original, written by rule from the golden arrays, and one that it wrote itself."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from discovery.training.optimizers import RMSProp
from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.seeded_models import make_constellation, make_scae
from stacked_capsules.tf1_checkpoint import (
    MEAN_SQUARE,
    MOMENTUM,
    TF1Checkpoint,
    constellation_options,
    imported_state,
    read_tf1_checkpoint,
    scae_options,
)
from stacked_capsules.tf1_variables import DUMMY_VOTE, model_variables
from tests.parity import golden_arrays
from tests.parity.constant_noise import ConstantNoise
from tests.parity.tf1_files import arrays_of, write_tf1_checkpoint
from tests.samples import sample

FILES = golden_arrays.golden_files("scae")
CONFIGS = {path: golden_arrays.load(path).meta["config"] for path in FILES}
#: One file each, if there is one: constellations; images, without and with all that a decoder can have.
POINTS = [path for path in FILES if CONFIGS[path]["model"] == "constellation"][:1]
IMAGES = [path for path in FILES if CONFIGS[path]["model"] == "scae"]
PLAIN = [path for path in IMAGES if not CONFIGS[path]["colorize_templates"]][:1]
RICH = [path for path in IMAGES if CONFIGS[path]["use_alpha_channel"]][:1]


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def kind_of(golden):
    if golden.meta["config"]["model"] == "constellation":
        return ConstellationConfig, make_constellation, constellation_options
    return SCAEConfig, make_scae, scae_options


def model_of(golden, checkpoint):
    """Builds what the checkpoint tells, and of the run's flags what it does not tell."""
    config_class, make, options_of = kind_of(golden)
    fields = {field.name for field in dataclasses.fields(config_class)}
    config = {k: v for k, v in golden.meta["config"].items() if k in fields and v is not None}
    if config_class is SCAEConfig:
        config["pixel_likelihood"] = "whole"  # nothing to compile
    return make(config_class(**(config | options_of(checkpoint))))


def fill(model, state):
    for weight in model.weights:
        weight.assign(state.weights[weight.path])


@each(FILES)
def test_shapes_tell_the_options(path):
    golden = golden_arrays.load(path)
    config_class, _, options_of = kind_of(golden)
    told = options_of(TF1Checkpoint("p", arrays_of(golden), 0))
    wanted = dataclasses.asdict(config_class()) | golden.meta["config"]
    assert told == {name: wanted[name] for name in told}
    undetermined = {"canvas_size", "cnn_strides", "template_nonlin", "color_nonlin", "n_part_caps_dims"}
    sizes = {name for name in dataclasses.asdict(config_class()) if name.startswith("n_")} - undetermined
    assert sizes <= set(told)


@pytest.mark.parametrize(
    "options",
    [
        {"encoder_type": "linear"},
        {"encoder_type": "conv", "feed_templates": False},
        {"encoder_type": "conv_att", "feed_templates": False, "colorize_templates": True},
        {"n_part_special_features": 0, "n_channels": 3, "template_size": 7, "learn_output_scale": True},
    ],
    ids=lambda options: "-".join(options),
)
def test_shapes_tell_every_kind_of_part_encoder(options):
    model = make_scae(SCAEConfig(n_part_caps=5, n_obj_caps=2, **options))
    shapes = {n: v.take(v.variable.numpy()) for n, v in model_variables(model).items()}
    if "capsule_image_encoder/conv_2d/w" in shapes:
        shapes["capsule_image_encoder/conv_2d/w"] = shapes["capsule_image_encoder/conv_2d/w"][None, None]
    told = scae_options(TF1Checkpoint("p", shapes, 0))
    assert options.items() <= told.items()
    assert (told["n_part_caps"], told["n_obj_caps"]) == (5, 2)


@each(POINTS + PLAIN + RICH)
def test_outputs_are_the_originals(path, tmp_path):
    golden = golden_arrays.load(path)
    checkpoint = read_tf1_checkpoint(write_tf1_checkpoint(golden, tmp_path / "model.ckpt-7"))
    assert checkpoint.n_averages == 6
    model = model_of(golden, checkpoint)
    state = imported_state(checkpoint, model)
    fill(model, state)
    assert state.step == 7
    noise = {"training": True, "seed": ConstantNoise(golden.meta["u"])}
    if "inputs/image" in golden.arrays:
        outputs = model(tf.constant(golden.arrays["inputs/image"]), **noise)
        named = {"pose": outputs.parts.pose, "presence": outputs.parts.presence}
        named |= {"mass_explained_by_capsule": outputs.mass_explained_by_capsule}
        rtol = 1e-4  # the resampled image is among what the objects see
    else:
        points = tuple(tf.constant(golden.arrays[f"inputs/{name}"]) for name in ("corners", "presence"))
        outputs = model(points, **noise)
        named, rtol = {"vote": outputs.objects.vote}, golden_arrays.OUTPUT_RTOL
    named |= {"winner": outputs.votes.winner, "caps_presence_prob": outputs.caps_presence_prob}
    for key, value in named.items():
        golden_arrays.assert_output(golden, f"out/{key}", value, rtol)


@each(POINTS)
def test_slots_are_those_of_their_weights(path, tmp_path):
    """In these files squares and multiples of their weights, so that none can be another's."""
    golden = golden_arrays.load(path)
    checkpoint = read_tf1_checkpoint(write_tf1_checkpoint(golden, tmp_path / "model.ckpt-7"))
    state = imported_state(checkpoint, model_of(golden, checkpoint))
    assert state.slots[MEAN_SQUARE].keys() == state.slots[MOMENTUM].keys() == state.weights.keys()
    for name, weight in state.weights.items():
        np.testing.assert_array_equal(state.slots[MEAN_SQUARE][name], np.square(weight))
        np.testing.assert_array_equal(state.slots[MOMENTUM][name], np.float32(-0.01) * weight)


@each(PLAIN)
def test_the_weight_without_gradient_needs_no_slots(path):
    golden = golden_arrays.load(path)
    checkpoint = TF1Checkpoint("p", arrays_of(golden), 0)
    assert golden.meta["no_gradient"] == [DUMMY_VOTE]
    assert f"{DUMMY_VOTE}/{MEAN_SQUARE}" not in checkpoint.arrays
    state = imported_state(checkpoint, model_of(golden, checkpoint))
    assert state.weights.keys() - state.slots[MEAN_SQUARE].keys() == {
        "image_autoencoder/object_decoder/likelihood/dummy_vote"
    }


@each(POINTS + PLAIN)
def test_weights_alone_are_enough(path):
    golden = golden_arrays.load(path)
    arrays = {n: a for n, a in arrays_of(golden).items() if not n.endswith((MEAN_SQUARE, MOMENTUM))}
    checkpoint = TF1Checkpoint("p", arrays, 0)
    model = model_of(golden, checkpoint)
    state = imported_state(checkpoint, model)
    assert state.weights.keys() == {weight.path for weight in model.weights}
    assert state.slots == {MEAN_SQUARE: {}, MOMENTUM: {}}


@each(POINTS)
def test_another_optimizer_and_another_scope_are_named(path):
    golden = golden_arrays.load(path)
    arrays = arrays_of(golden)
    model = model_of(golden, TF1Checkpoint("p", arrays, 0))
    adam = {"set_transformer/linear/b/Adam": np.zeros(2, np.float32), "beta1_power": np.float32(0.9)}
    with pytest.raises(UserError, match="another optimizer than RMSProp: it has slots named Adam; save its"):
        imported_state(TF1Checkpoint("p", arrays | adam, 0), model)
    scoped = {f"tower/{name}": array for name, array in arrays.items()}
    with pytest.raises(UserError, match=r"lacks (.*), but has tower/\1: save it without the scope tower/$"):
        constellation_options(TF1Checkpoint("p", scoped, 0))


@each(POINTS)
def test_all_that_is_missing_or_left_over_is_listed(path):
    golden = golden_arrays.load(path)
    arrays = arrays_of(golden)
    model = model_of(golden, TF1Checkpoint("p", arrays, 0))
    scope = "constellation_capsule/capsule_layer"
    for name in (f"{scope}/add/b/RMSProp_1", "set_transformer/linear/b", "global_step"):
        del arrays[name]
    arrays["stranger"] = np.zeros(2, np.float32)
    arrays[f"{scope}/add_1/b"] = np.zeros((4, 1), np.float32)
    arrays[f"{scope}/add_2/b"] = np.zeros((3, 4), np.float64)
    with pytest.raises(UserError) as error:
        imported_state(TF1Checkpoint("p", arrays, 0), model)
    for text in (
        f"missing there: global_step, set_transformer/linear/b, {scope}/add/b/RMSProp_1",
        "unknown here: stranger;",
        f"{scope}/add_1/b ([4, 1], here [3, 1])",
        f"{scope}/add_2/b (float64 [3, 4], here [3, 4])",
    ):
        assert text in str(error.value)


def test_all_that_tensorflow_1_stores_of_report_averages_is_left_behind(tmp_path):
    """A training program like the original's: RMSProp, a step, and averages of two reports and a clash."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        weight = tf.compat.v1.get_variable("layer/w", [2], use_resource=False)
        step = tf.compat.v1.train.get_or_create_global_step()
        with tf.name_scope("model"):
            report = {"loss": tf.reduce_sum(weight), "mean": tf.reduce_mean(weight)}
        tf.compat.v1.train.RMSPropOptimizer(0.1, momentum=0.9).minimize(report["loss"], step)
        average = tf.compat.v1.train.ExponentialMovingAverage(0.9, zero_debias=True)
        average.apply(list(report.values()))
        tf.compat.v1.train.ExponentialMovingAverage(0.9, zero_debias=True).apply(list(report.values()))
        session.run(tf.compat.v1.global_variables_initializer())
        prefix = tf.compat.v1.train.Saver().save(session, str(tmp_path / "model.ckpt"), step)
    names = {"global_step", "layer/w", f"layer/w/{MEAN_SQUARE}", f"layer/w/{MOMENTUM}"}
    checkpoint = read_tf1_checkpoint(prefix)
    assert checkpoint.arrays.keys() == names
    assert checkpoint.n_averages == 2 * len(report) * 3


def test_what_only_resembles_a_report_average_is_not_left_behind(tmp_path):
    names = ["a/ExponentialMovingAverage_x", "ExponentialMovingAverages", "b/ExponentialMovingAverage/w"]
    prefix = str(tmp_path / "model.ckpt-1")
    values = [tf.zeros([])] * len(names)
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
    assert read_tf1_checkpoint(prefix).arrays.keys() == set(names)


@each(POINTS)
def test_another_model_is_noticed(path):
    arrays = arrays_of(golden_arrays.load(path))
    with pytest.raises(UserError, match="it lacks template_based_image_decoder/templates; see --model"):
        scae_options(TF1Checkpoint("p", arrays, 0))
    with pytest.raises(UserError, match="there is no snapshot"):
        read_tf1_checkpoint("/nowhere/model.ckpt-1")


def test_the_originals_own_checkpoint_is_where_five_steps_of_ours_lead():
    """Weights, mean squares and momenta that the original stored, against our training from its start."""
    prefix = sample("parity/checkpoints/constellation/model.ckpt-5.index")
    start = np.load(sample("parity/full/scae/constellation_constnoise_1.npz"), allow_pickle=False)
    settings = json.loads(str(start["meta"]))
    checkpoint = read_tf1_checkpoint(str(prefix))
    config = {k: v for k, v in settings["config"].items() if k.endswith("_weight")}
    model = make_constellation(ConstellationConfig(**config, **constellation_options(checkpoint)))
    state = imported_state(checkpoint, model)
    assert state.step == 5

    values = {v.path: v.numpy() for v in model.trainable_variables}
    for name, place in model_variables(model).items():
        place.put(values[place.variable.path], start[f"var/{name}"])
    fill(model, state._replace(weights=values))
    batch = {n: tf.constant(start[f"inputs/{n}"]) for n in ("corners", "presence", "pattern_id")}
    optimizer = RMSProp(settings["optimizer"]["epsilon"])
    variables = [tf.constant(values[v.path]) for v in model.trainable_variables]
    slots = optimizer.init(variables)
    for _ in range(5):
        with tf.GradientTape() as tape:
            loss, _ = model.loss_and_metrics(batch, 0, ConstantNoise(0.5))
        gradients = tape.gradient(loss, model.trainable_variables)
        variables, slots = optimizer.update(gradients, slots, variables, tf.constant(1e-4), tf.constant(0))
        for variable, value in zip(model.trainable_variables, variables, strict=True):
            variable.assign(value)

    largest = 0.0
    for i, variable in enumerate(model.trainable_variables):
        path = variable.path
        np.testing.assert_allclose(slots["rms"][i], state.slots[MEAN_SQUARE][path], rtol=1e-5, err_msg=path)
        momentum = state.slots[MOMENTUM][path]
        if "to_k/bias" in path or "key/bias" in path:  # no gradient but rounding
            continue
        atol = 1e-4 * float(np.abs(momentum).max()) + 1e-9
        np.testing.assert_allclose(slots["momentum"][i], momentum, rtol=1e-4, atol=atol, err_msg=path)
        np.testing.assert_allclose(variables[i], state.weights[path], rtol=1e-4, atol=1e-7, err_msg=path)
        largest = max(largest, float(np.abs(momentum).max()))
    assert largest > 1e-4
