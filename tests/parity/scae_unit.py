"""A unit of a `scae_units` file: its inputs, its variables, and how ours is compared with it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from tests.parity import golden_arrays

#: Norms below this share of a unit's largest gradient do not count: some gradients are zero but for rounding.
ZERO_GRADIENT = 1e-6


class Unit:
    """One unit.

    Attributes:
        golden: the file.
        name: the unit's.
        notes: what the file says about it: constructor arguments, or text.
        inputs: name -> tensor.
        variables: the original's name -> where its values are, set by `assign`.
    """

    def __init__(self, path, name):
        self.golden, self.name = golden_arrays.load(path), name
        notes = self.golden.meta["notes"]
        self.notes = notes.get(name, notes.get(name.split("/")[0], {}))
        self.inputs = {
            key: tf.constant(self.golden.arrays[f"{name}/in/{key}"])
            for key in self.golden.names(f"{name}/in/")
        }
        self.variables = {}

    @property
    def shapes(self):
        """The variables' shapes by the original's names."""
        return {name: rule["shape"] for name, rule in self.golden.meta["units"].get(self.name, {}).items()}

    def assign(self, variables):
        """Sets variables, given as the original's name -> `TF1Variable`, by the weight rule."""
        assert set(variables) == set(self.shapes)
        for name, part in variables.items():
            values = part.variable.numpy()
            part.put(values, self.golden.unit_weight(self.name, name))
            part.variable.assign(values)
        self.variables = variables

    def check(self, function, differentiated=(), unasked=()):
        """Compares `function(**inputs)`, name -> tensor, and its gradients.

        Args:
            function: What is tested.
            differentiated: Names of the outputs that the gradients are of.
            unasked: Names of inputs that have a gradient which was not recorded.
        """
        floats = {name: x for name, x in self.inputs.items() if x.dtype.is_floating}
        values = {name: part.variable.value for name, part in self.variables.items()}
        with tf.GradientTape() as tape:
            tape.watch(floats)
            outputs = function(**self.inputs)
            terms = [tf.reduce_sum(outputs[k] * cosines(outputs[k])) for k in differentiated]
        stored = self.golden.names(f"{self.name}/out/")
        assert set(differentiated) <= set(stored)
        for key in stored:
            golden_arrays.assert_output(self.golden, f"{self.name}/out/{key}", outputs[key])
        if terms:
            by_input, by_variable = tape.gradient(terms, [floats, values])
            self._check_inputs(by_input, unasked)
            self._check_variables(by_variable)

    def _check_inputs(self, gradients, unasked):
        stored = self.golden.names(f"{self.name}/dgrad/")
        for name, gradient in gradients.items():
            key = f"{self.name}/dgrad/{name}"
            if name in stored:
                golden_arrays.assert_gradient(self.golden, key, gradient)
            elif name not in unasked:
                assert gradient is None or not np.any(gradient), f"{key} should not exist"

    def _check_variables(self, gradients):
        arrays = self.golden.arrays
        keys = {name: f"{self.name}/vgrad/{name}" for name in gradients}
        largest = max((arrays[key][0] for key in keys.values() if key in arrays), default=0.0)
        for name, gradient in gradients.items():
            if keys[name] in arrays:
                gradient = self.variables[name].take(gradient).reshape(self.shapes[name])
                atol = ZERO_GRADIENT * largest
                golden_arrays.assert_projected(self.golden, keys[name], name, gradient, atol=atol)
            else:
                assert gradient is None or not np.any(gradient), f"{keys[name]} should not exist"


def cosines(tensor):
    """Weights of the scalar that is differentiated."""
    i = np.arange(np.size(tensor), dtype=np.float64).reshape(np.shape(tensor))
    return tf.constant(np.cos(0.7 * i + 0.3).astype(np.float32))


def units(*prefixes):
    """Parametrises a test by `unit`: those that have one of the prefixes as the first part of their name."""
    found = [
        (path, name)
        for path in golden_arrays.golden_files("scae_units")
        for name in dict.fromkeys(
            re.split("/(?:in|out|dgrad|vgrad)/", k)[0] for k in golden_arrays.load(path).arrays
        )
        if name.split("/")[0] in prefixes
    ]
    return pytest.mark.parametrize(
        "unit",
        [Unit(path, name) for path, name in found],
        ids=[f"{path.stem}-{name}" for path, name in found],
    )
