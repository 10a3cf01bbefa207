"""Constellations and shifts equal the original's, given the same random numbers."""

import numpy as np
import pytest
import tensorflow as tf

from stacked_capsules.data.config import DataConfig
from stacked_capsules.data.constellation import Draws, constellations, groups_of, layout
from stacked_capsules.data.pad_and_shift import first_pixel
from tests.parity import golden_arrays as ga

UNITS = [
    pytest.param(ga.load(path), unit, id=f"{path.stem}-{unit}")
    for path in ga.golden_files("scae_units")
    for unit in dict.fromkeys(name.rsplit("/", 1)[0] for name in ga.load(path).names("constellation/"))
]
SHIFTS = [
    pytest.param(ga.load(path), unit, id=f"{path.stem}-{unit}")
    for path in ga.golden_files("scae_units")
    for unit in ga.load(path).names("pad_and_shift/")
]


def replayed_draws(options, groups):
    """Draws what the original draws from numpy's global generator, in its order."""
    random, n = np.random.RandomState(options["np_random_seed"]), options["size_n"]
    rotation, scale, translation, presence = [], [], [], []
    for _ in groups:
        rotation.append(random.random_sample(n))
        scale.append(random.random_sample(n))
        translation.append(random.random_sample((n, 2)))
        presence.append(random.binomial(1, 1.0 - options["drop_prob"], n))
    n_points = sum(len(layout(group)) for group in groups)
    order = noise = None
    if options["shuffle_corners"]:
        order = np.stack([random.permutation(n_points) for _ in range(n)])
    if options["gaussian_noise"] > 0.0:
        noise = random.standard_normal((n, n_points, 2))
    return Draws(*(np.stack(draw, axis=1) for draw in (rotation, scale, translation, presence)), order, noise)


@pytest.mark.parametrize(("golden", "unit"), UNITS)
def test_constellations(golden, unit):
    options = golden.meta["notes"][f"constellation/{unit}"]
    groups = groups_of(DataConfig(which_patterns=options["which_patterns"]))
    examples = constellations(
        replayed_draws(options, groups),
        groups,
        options["rotation_percent"],
        options["max_translation"],
        options["max_upscale"],
        options["gaussian_noise"],
    )
    for name in ("presence", "pattern_presence", "pattern_id"):
        np.testing.assert_array_equal(
            examples[name], golden.arrays[f"constellation/{unit}/{name}"], err_msg=name
        )
    ga.assert_output(golden, f"constellation/{unit}/corners", examples["corners"])


@pytest.mark.parametrize(("golden", "unit"), SHIFTS)
def test_offsets_of_pad_and_shift(golden, unit):
    size, canvas = map(int, unit.split("_to_"))
    draws, column, _, row, _ = golden.arrays[f"pad_and_shift/{unit}"].T  # the draw of y is 0 in each row
    np.testing.assert_array_equal(first_pixel(tf.constant(draws), size, canvas), column)
    np.testing.assert_array_equal(first_pixel(tf.zeros_like(draws), size, canvas), row)
