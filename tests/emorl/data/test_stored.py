import itertools

import numpy as np
import pytest

from emorl.data.stored import Rows, batches_in_order, epoch_order


def numbers(n, window=10, run=1):
    """Rows whose only content is their number; `read` must be asked for ascending ones."""

    def read(rows):
        assert (np.diff(rows) > 0).all()
        assert len(rows) <= window
        return {"number": rows}

    rows = Rows.of_arrays({"number": np.arange(n)})
    return rows._replace(open=lambda: read, window=window, run=run)


def stream(rows, batch_size, n=10**9, **options):
    batches = itertools.islice(batches_in_order(rows, batch_size, **options), n)
    return [batch["number"].numpy().tolist() for batch in batches]


@pytest.mark.parametrize(("n", "run", "window"), [(100, 1, 100), (103, 8, 32), (5, 7, 64), (1, 1, 1)])
def test_an_epoch_is_a_permutation_that_differs_by_seed_and_epoch(n, run, window):
    order = epoch_order(n, run, window, seed=1, epoch=0)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(order, epoch_order(n, run, window, seed=1, epoch=0))
    if n > 50:
        assert (order != epoch_order(n, run, window, seed=1, epoch=1)).any()
        assert (order != epoch_order(n, run, window, seed=2, epoch=0)).any()


def test_a_window_is_made_of_whole_runs():
    order = epoch_order(1000, run=10, window=100, seed=0, epoch=0)
    for window in order.reshape(-1, 100):
        starts, counts = np.unique(window // 10, return_counts=True)
        assert (counts == 10).all()
        assert (np.diff(starts) > 1).any()
        assert (np.diff(window) != 1).any()


@pytest.mark.parametrize("start", [0, 1, 2, 5, 9, 30])
def test_every_step_can_be_jumped_to(start):
    rows = numbers(23)
    unbroken = stream(rows, 4, 36, repeat=True, shuffle_seed=3)
    assert stream(rows, 4, 3, start=start, repeat=True, shuffle_seed=3) == unbroken[start : start + 3]
    assert all(len(batch) == 4 for batch in unbroken)


def test_every_epoch_has_every_row_once():
    flat = np.concatenate(stream(numbers(23), 4, 23, repeat=True, shuffle_seed=0))
    for epoch in range(4):
        assert sorted(flat[23 * epoch : 23 * (epoch + 1)]) == list(range(23))


def test_once_in_order():
    assert stream(numbers(23, window=5), 10) == [
        list(range(10)),
        list(range(10, 20)),
        list(range(20, 23)),
    ]


def test_batches_larger_than_the_set():
    assert stream(numbers(3), 7, 2, repeat=True) == [[0, 1, 2, 0, 1, 2, 0], [1, 2, 0, 1, 2, 0, 1]]
