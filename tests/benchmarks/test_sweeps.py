"""How time and memory grow."""

import json

import pytest

from benchmarks import sweeps
from benchmarks.sweeps import SWEEPS, exponent, figure, measured, row


def test_exponents_are_of_the_largest_sizes():
    assert exponent([1, 10, 20], [7.0, 5.0, 20.0]) == pytest.approx(2.0)


def test_a_sweep_measures_each_size(monkeypatch):
    def numbers(case, seconds, flags):
        assert (case, seconds) == ("scae_mnist_train", 0.0)
        assert flags[:1] == ["--batch_size=16"]
        side = int(flags[1].removeprefix("--canvas_size="))
        return {"cpu_s_per_step": side**2 / 1e3, "peak_rss_mb": 500.0 + side, "built_rss_mb": 500.0}

    monkeypatch.setattr(sweeps, "in_a_process_of_its_own", numbers)
    result = measured(SWEEPS["scae_size"], 0.0)
    assert json.loads(json.dumps(result)) == result
    assert result["mb"] == [35.0, 48.0, 64.0, 96.0, 128.0]
    cells = ["35, 48, 64, 96, 128", "1225, 2304, 4096, 9216, 16384", "1.00", "35, 48, 64, 96, 128", "0.50"]
    assert row("scae_size", result) == f"| scae_size | {' | '.join(cells)} |"
    assert len(figure({"scae_size": result}).axes) == 2
