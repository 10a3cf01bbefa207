"""Initial weights are drawn from the original's distributions, and from the seed alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from emorl.configuration import EMORLConfig, SlotAttentionConfig
from emorl.seeded_models import make_efficient_morl, make_slot_attention
from tests.parity.emorl_reference import by_path, torch_layout

STATISTICS = json.loads((Path(__file__).parent / "golden" / "init_stats_emorl.json").read_text())
N_SEEDS = 3


def weights(case, seed):
    """A freshly made model's weights, under the original's names."""
    make, config = {
        "EfficientMORL": (make_efficient_morl, EMORLConfig),
        "SlotAttention": (make_slot_attention, SlotAttentionConfig),
    }[case["model"]]
    model = make(config(**case["net"]), seed=seed)
    values = {path: np.asarray(variable) for path, variable in by_path(model).items()}
    return torch_layout(case["variables"], values)


@pytest.mark.parametrize("case", STATISTICS.values(), ids=STATISTICS)
def test_distributions(case):
    samples = [weights(case, seed) for seed in range(N_SEEDS)]
    assert sum(value.size for value in samples[0].values()) == case["n_parameters"]
    for name, want in case["variables"].items():
        values = np.stack([sample[name] for sample in samples])
        assert np.isfinite(values).all(), name
        flat, kind = values.ravel(), want["distribution"]
        if kind in ("zeros", "ones", "constant"):
            value = {"zeros": 0.0, "ones": 1.0}.get(kind, want.get("value"))
            np.testing.assert_array_equal(flat, np.float32(value), err_msg=name)
        elif kind.startswith("first half"):
            halves = np.split(values, 2, axis=-1)
            np.testing.assert_array_equal(halves[0], 0.0, err_msg=name)
            np.testing.assert_array_equal(halves[1], 1.0, err_msg=name)
        elif kind == "uniform":
            assert np.abs(flat).max() <= want["bound"], name
            uniform = stats.uniform(-want["bound"], 2 * want["bound"])
            assert stats.kstest(flat, uniform.cdf).pvalue > 1e-4, name
        else:
            assert kind == "normal", (name, kind)
            std = want.get("expected_std") or {"standard normal": 1.0}[want["rule"]]
            assert stats.kstest(flat, stats.norm(0, std).cdf).pvalue > 1e-4, name


def test_weights_are_a_function_of_the_seed():
    case = STATISTICS["emorl_tetrominoes"]
    one, again, other = (weights(case, seed) for seed in (1, 1, 2))
    drawn = [n for n, v in case["variables"].items() if v["distribution"] in ("uniform", "normal")]
    for name in drawn:
        np.testing.assert_array_equal(one[name], again[name])
        assert (one[name] != other[name]).all(), name
    # Equally shaped weights differ among themselves, too.
    queries, keys = (one[f"hvae_networks.mlp_{kind}.0.weight"] for kind in ("mu", "softplus"))
    assert (queries != keys).all()
