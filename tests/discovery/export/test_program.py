"""Several steps in one program are the ordinary steps."""

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from discovery.export.program import phases, program_of
from discovery.snapshots import GLOBAL_STEP
from tests.discovery.export.toy_export import (
    N_MOST,
    SEED,
    ordinary_steps,
    toy_batches,
    toy_program,
    toy_rows,
    toy_step,
)


def compiled(program, data):
    """Returns (state, n) -> state, steps taken, metrics."""
    function = tf.function(program, autograph=False, jit_compile=True, input_signature=program.arguments)

    def call(state, n):
        *values, taken, rows = function(*state.values(), np.int32(n), *data.values())
        return dict(zip(state, (v.numpy() for v in values), strict=True)), int(taken), rows.numpy()

    return call


def test_steps_are_those_taken_one_by_one():
    rows = toy_rows()
    program, state, data = toy_program(rows)
    call = compiled(program, data)
    for n in (N_MOST, 3):  # as many as there can be, and fewer
        state, taken, found = call(state, n)
        assert (taken, found.shape) == (n, (N_MOST, len(program.metrics)))
        assert not found[n:].any()
    want, metrics = ordinary_steps(rows, N_MOST + 3)
    assert state.pop(GLOBAL_STEP) == N_MOST + 3
    assert state.keys() == want.keys()
    for name, value in want.items():
        np.testing.assert_allclose(state[name], value, rtol=1e-5, atol=1e-7, err_msg=name)
    assert sorted(metrics[-1]) == program.metrics
    for row, of_step in zip(found, metrics[N_MOST:], strict=False):
        np.testing.assert_allclose(row, [of_step[n] for n in program.metrics], rtol=1e-5, atol=1e-6)


def test_it_stops_before_a_step_that_is_not_sound():
    program, state, data = toy_program(toy_rows(broken_at=2))
    state, taken, found = compiled(program, data)(state, N_MOST)
    assert (taken, state[GLOBAL_STEP]) == (2, 2)
    assert np.isnan(found[2, program.metrics.index("loss")])
    assert not found[3:].any()
    want, _ = ordinary_steps(toy_rows(), 2)
    for name, value in want.items():
        np.testing.assert_allclose(state[name], value, rtol=1e-5, atol=1e-7, err_msg=name)


def test_phases_are_where_options_change():
    assert phases(lambda step: {"n": 3 if step < 5 else 1}, 10) == [(0, {"n": 3}), (5, {"n": 1})]
    assert phases(lambda step: {"n": 3 if step < 5 else 1}, 5) == [(0, {"n": 3})]
    assert phases(lambda step: {}, 0) == [(0, {})]


def test_types_that_other_machines_lack_are_refused():
    rows = toy_rows()
    with pytest.raises(UserError, match="x is float64: a portable step has no such arrays"):
        program_of(toy_step(), toy_batches(rows), {"x": rows.astype(np.float64)}, SEED, N_MOST)
