"""Initial values of object capsules, likelihood and probes are distributed as the original's."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from stacked_capsules.tf1_variables import model_variables
from tests.parity.test_scae_models import make_model

STATISTICS = json.loads((Path(__file__).parent / "golden" / "init_stats_scae.json").read_text())


@pytest.mark.parametrize("case", STATISTICS)
def test_initial_values(case):
    model = make_model(STATISTICS[case]["config"])
    expected = STATISTICS[case]["variables"]
    assert model.count_params() == STATISTICS[case]["n_parameters"]
    names = model_variables(model)
    assert set(names) == set(expected)
    checked = {}
    for name, part in names.items():
        values = part.take(part.variable.numpy())
        assert values.size == np.prod(expected[name]["shape"]), name
        if name.startswith(("image_", "constellation_")):
            checked[name] = values.ravel()
    for name, values in checked.items():
        check(name, values, expected[name])
    assert len({values[:3].tobytes() for values in checked.values() if values.any()}) == sum(
        values.any() for values in checked.values()
    ), "two variables start with the same values"


def test_seed_decides_initial_values():
    config = STATISTICS["scae_constellation"]["config"]
    first, again, other = (
        [v.numpy() for v in make_model({**config, "seed": seed}).trainable_variables] for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(np.ptp(a) == 0 or not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def check(name, values, expected):
    distribution = expected["distribution"]
    if distribution == "zeros":
        assert not values.any(), name
        return
    if distribution == "truncated normal":
        law = scipy.stats.truncnorm(-2.0, 2.0, scale=expected["stddev_before_truncation"])
    else:
        assert distribution == "uniform", distribution
        law = scipy.stats.uniform(expected["low"], expected["high"] - expected["low"])
    assert law.ppf(0.0) * 1.0001 <= values.min(), name
    assert values.max() <= law.ppf(1.0) * 1.0001, name
    assert scipy.stats.kstest(values, law.cdf).pvalue > 1e-4, name
