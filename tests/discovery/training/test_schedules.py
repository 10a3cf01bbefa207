"""Rates at steps worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from discovery.training.schedules import Constant, CosineFall, ExponentialDecay, WarmUpAndDecay


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (Constant(0.3), {0: 0.3, 300_000: 0.3}),
        (ExponentialDecay(0.1), {0: 0.1, 5_000: 0.1 * 0.96**0.5, 300_000: 0.1 * 0.96**30}),
        (
            WarmUpAndDecay(4e-4),
            {
                0: 0,
                1: 4e-8,
                10_000: 4e-4,
                10_001: 4e-4,
                10_002: 4e-4 * 0.5**2e-5,
                110_000: 2e-4,
                210_000: 1e-4,
            },
        ),
        (
            CosineFall(Constant(0.5), start=100, steps=40, to=0.2),
            {0: 0.5, 100: 0.5, 120: 0.5 * 0.6, 140: 0.1, 300_000: 0.1},
        ),
        # cos(pi / 3) = 1 / 2
        (CosineFall(Constant(1.0), start=0, steps=3, to=0.0), {0: 1.0, 1: 0.75, 2: 0.25, 3: 0.0}),
        (
            CosineFall(ExponentialDecay(0.1), start=0, steps=10_000, to=0.5),
            {5_000: 0.075 * 0.96**0.5, 20_000: 0.05 * 0.96**2},
        ),
        (WarmUpAndDecay(1.0, warmup_steps=0), {0: 1.0, 1: 1.0, 100_000: 0.5}),
    ],
)
def test_rates(schedule, rates):
    for step, rate in rates.items():
        got = schedule(tf.constant(step, tf.int64))
        assert got.dtype == tf.float32
        np.testing.assert_allclose(got, rate, rtol=2e-6)
