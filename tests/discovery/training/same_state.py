"""Compares what two runs carry: weights and the optimizer's slots."""

from collections.abc import Mapping

import numpy as np


def assert_same_state(
    got: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray], rtol: float, slots_rtol: float
) -> None:
    """Compares each array by its L2 norm.

    A gradient that is exactly zero, of biases that attention ignores say, is computed as the rounding error
    of terms as large as all gradients together; so 1e-8 of the norm of all arrays of its kind is allowed.
    """
    assert got.keys() == want.keys()
    kinds = {name: name.rpartition("/")[2] if name.rpartition("/")[0] in want else "" for name in want}
    for name, value in want.items():
        alike = [np.linalg.norm(want[other]) for other in want if kinds[other] == kinds[name]]
        error, size = np.linalg.norm(got[name] - value), np.linalg.norm(value)
        allowed = (slots_rtol if kinds[name] else rtol) * size + 1e-8 * np.linalg.norm(alike)
        assert error <= allowed, (name, error / size)
