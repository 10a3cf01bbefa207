"""Object capsules, likelihoods, sparsity, probe and segmentation against the original's arrays."""

import re

import numpy as np
import pytest
import tensorflow as tf

from stacked_capsules.classification_probe import ClassificationProbe, probe_scores
from stacked_capsules.object_capsules import CapsuleLayer
from stacked_capsules.sparsity import between_examples, scaled_entropy, within_example
from stacked_capsules.tf1_variables import capsule_variables
from stacked_capsules.vote_likelihood import OrderInvariantVoteLikelihood, VoteLikelihood
from tests.parity import golden_arrays
from tests.parity.constant_noise import ConstantNoise

UNITS = [
    (path, unit)
    for path in golden_arrays.golden_files("scae_units")
    for unit in dict.fromkeys(
        re.split("/(?:in|out|dgrad|vgrad)/", k)[0] for k in golden_arrays.load(path).arrays
    )
]


def units(prefix):
    """Parametrises a test with the units under a prefix."""
    cases = [(path, unit) for path, unit in UNITS if unit.split("/")[0] == prefix]
    assert cases or not UNITS, prefix
    return pytest.mark.parametrize(("path", "unit"), cases, ids=[f"{p.stem}-{u}" for p, u in cases])


class Unit:
    """One unit: its inputs, the values of its variables, and the comparison with what the original gave."""

    def __init__(self, path, unit):
        self.golden, self.unit = golden_arrays.load(path), unit
        self.notes = self.golden.meta["notes"].get(unit, {})
        self.inputs = {
            name: tf.constant(self.golden.arrays[f"{unit}/in/{name}"])
            for name in self.golden.names(f"{unit}/in/")
        }
        self.variables = {}

    def assign(self, variables):
        """Sets variables by the weight rule; name of the original -> our variable."""
        assert set(variables) == set(self.golden.meta["units"][self.unit])
        for name, variable in variables.items():
            variable.assign(self.golden.unit_weight(self.unit, name).reshape(variable.shape))
        self.variables = variables

    def check(self, function, differentiated):
        """Compares outputs (name -> tensor) of function(**inputs), and the gradients."""
        floats = {k: v for k, v in self.inputs.items() if v.dtype.is_floating}
        values = {name: variable.value for name, variable in self.variables.items()}
        with tf.GradientTape() as tape:
            tape.watch([floats, values])
            outputs = function(**self.inputs)
            objective = sum(tf.reduce_sum(outputs[k] * cosines(outputs[k])) for k in differentiated)
        stored = self.golden.names(f"{self.unit}/out/")
        for name in stored:
            golden_arrays.assert_output(self.golden, f"{self.unit}/out/{name}", outputs[name])
        assert set(differentiated) <= set(stored)
        by_input, by_variable = tape.gradient(objective, [floats, values])
        for name, gradient in by_input.items():
            key = f"{self.unit}/dgrad/{name}"
            if name in self.golden.names(f"{self.unit}/dgrad/"):
                golden_arrays.assert_gradient(self.golden, key, gradient)
            else:
                assert gradient is None or not np.any(gradient), f"{key} should not exist"
        for name, gradient in by_variable.items():
            key = f"{self.unit}/vgrad/{name}"
            if key in self.golden.arrays:
                shape = self.golden.meta["units"][self.unit][name]["shape"]
                golden_arrays.assert_projected(self.golden, key, name, tf.reshape(gradient, shape))
            else:
                assert gradient is None or not np.any(gradient), f"{key} should not exist"


def cosines(tensor):
    """Weights of the scalar that is differentiated."""
    i = np.arange(np.size(tensor), dtype=np.float64).reshape(np.shape(tensor))
    return tf.constant(np.cos(0.7 * i + 0.3).astype(np.float32))


@units("sparsity")
def test_sparsity(path, unit):
    case = Unit(path, unit)
    kind, side = re.fullmatch(r"sparsity/\w+/(\w+)_(within|between)", unit).groups()
    n_classes = float(match[1]) if (match := re.search(r"_c(\d+)", kind)) else 10.0
    constant = float(match[1]) / 10.0 if (match := re.search(r"_const(\d+)", kind)) else 0.0
    k = float(match[1]) if (match := re.search(r"_k(\d+)", kind)) else None

    def losses(x):
        total, batch_size = tf.reduce_sum(x, 0), float(x.shape[0])
        if k is not None:
            within, between = scaled_entropy(x, k), scaled_entropy(total, k)
        else:
            within = within_example(kind.split("_")[0], x, n_classes, constant)
            between = between_examples(kind.split("_")[0], total, batch_size, n_classes)
        return {f"{kind}_{side}": tf.reduce_mean(within) if side == "within" else between}

    case.check(losses, [f"{kind}_{side}"])


@units("order_invariant_likelihood")
def test_order_invariant_likelihood(path, unit):
    case = Unit(path, unit)
    layer = OrderInvariantVoteLikelihood(n_votes=2, pdf=unit.split("/")[1].split("_")[0])
    layer.build(case.inputs["votes"].shape)
    if layer.df is not None:
        case.assign({"order_invariant_capsule_likelihood/df": layer.df})
    case.check(likelihood(layer), ["log_prob", "posterior_mixing_probs"])


@units("capsule_likelihood")
def test_capsule_likelihood(path, unit):
    case = Unit(path, unit)
    layer = VoteLikelihood(pdf=unit.split("/")[1].split("_")[0])
    layer.build(case.inputs["votes"].shape)
    variables = {"capsule_likelihood/dummy_vote": layer.dummy_vote}
    if layer.df is not None:
        variables["capsule_likelihood/df"] = layer.df
    case.assign(variables)
    case.check(likelihood(layer), ["log_prob", "posterior_mixing_probs", "soft_winner"])


def likelihood(layer):
    """Wraps a likelihood as a function of the original's inputs, with the original's mean over the batch."""

    def outputs(x, votes, scales, vote_presence, presence=None):
        explanation = layer(x, votes, scales, vote_presence, presence)._asdict()
        return {**explanation, "log_prob": tf.reduce_mean(explanation["log_prob"])}

    return outputs


@units("capsule_layer")
def test_capsule_layer(path, unit):
    case = Unit(path, unit)
    shapes = {k: v["shape"] for k, v in case.golden.meta["units"][unit].items()}
    widths = [shape[-1] for name, shape in shapes.items() if "/batch_mlp/" in name and len(shape) == 4]
    n_caps, n_votes = shapes["capsule_layer/add_2/b"]
    sizes = {"n_caps": n_caps, "n_votes": n_votes, "n_caps_params": widths[-1], "n_hiddens": widths[:-1]}
    options = {**sizes, **case.notes}  # a unit without notes has the defaults
    u = options.pop("uniform_u", None)
    options.pop("n_caps_dims", None)
    layer = CapsuleLayer(**options)
    layer.build(case.inputs["features"].shape)
    case.assign({name: weight.variable for name, weight in capsule_variables(layer).items()})

    def outputs(features, pt=None, pp=None):
        seed = None if u is None else ConstantNoise(u)
        objects = layer(features, pt, pp, training=True, seed=seed)._asdict()
        objects["vote_presence"] = objects["vote_presence_prob"]
        objects["dynamic_weights_l2"] = tf.reduce_mean(objects["dynamic_weights_l2"])
        return {**objects, "raw_caps_features": features}

    differentiated = ["vote", "scale", "vote_presence", "dynamic_weights_l2"]
    if "pt" in case.inputs:
        # Inferred from the stored gradients, all of which agree without it and none with it: the unit that is
        # given parent transforms did not differentiate dynamic_weights_l2, though the list of units says so.
        differentiated.remove("dynamic_weights_l2")
    case.check(outputs, differentiated)


@pytest.mark.parametrize("path", golden_arrays.golden_files("scae_units"), ids=lambda p: p.stem)
@pytest.mark.parametrize("unit", ["probe", "probe_labeled"])
def test_probe(path, unit):
    case = Unit(path, unit)
    names = ("classification_probe/linear/w", "classification_probe/linear/b")
    layer = ClassificationProbe(case.golden.meta["units"][unit][names[0]]["shape"][1])
    layer.build(case.inputs["f"].shape)
    case.assign(dict(zip(names, (layer.linear.kernel, layer.linear.bias), strict=True)))

    def outputs(f, y, l=None):  # noqa: E741 (the name in the file)
        xe, hit = probe_scores(layer(f), y, l)
        return {"xe": tf.reduce_mean(xe), "acc": tf.reduce_mean(hit)}

    case.check(outputs, ["xe"])
