import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import linear_sum_assignment

from discovery import UserError
from stacked_capsules.segmentation_metric import best_matching, correctly_grouped


def test_by_hand():
    # capsule 2 explains pattern 7, capsule 0 pattern 4; the second point is wrong, the last is absent
    capsules = tf.constant([[2, 0, 2, 0, 0, 1]])
    patterns = tf.constant([[7, 7, 7, 4, 4, 4]])
    presence = tf.constant([[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]])
    np.testing.assert_array_equal(correctly_grouped(capsules, patterns, presence, 3), [4.0])


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (6, 4), (1, 7)])
def test_best_matching_against_scipy(shape):
    gain = np.random.default_rng(0).integers(0, 9, (20, *shape)).astype(np.float32)
    rows_and_columns = [linear_sum_assignment(-g) for g in gain]
    want = [g[pairs].sum() for g, pairs in zip(gain, rows_and_columns, strict=True)]
    np.testing.assert_array_equal(best_matching(tf.constant(gain)), want)


@pytest.mark.parametrize("n_patterns", [None, 4])
def test_ids_may_be_anything(n_patterns):
    rng = np.random.default_rng(1)
    capsules, patterns = rng.integers(0, 3, (10, 8)), rng.integers(0, 4, (10, 8))
    presence = rng.integers(0, 2, (10, 8)).astype(np.float32)
    want = correctly_grouped(capsules, tf.constant(patterns), presence, 3, n_patterns)
    names = tf.constant([12, -3, 99, 40])  # with gaps
    got = correctly_grouped(capsules, tf.gather(names, patterns), presence, 3, n_patterns)
    np.testing.assert_array_equal(got, want)
    renamed = correctly_grouped(2 - capsules, tf.constant(patterns), presence, 3, n_patterns)
    np.testing.assert_array_equal(renamed, want)


def test_compiles():
    compiled = tf.function(correctly_grouped, jit_compile=True)
    got = compiled(tf.constant([[0, 0, 1]]), tf.constant([[5, 5, 2]]), tf.ones([1, 3]), 2)
    np.testing.assert_array_equal(got, [3.0])


def test_too_many_groups():
    with pytest.raises(UserError, match="20 and 13 groups are too many"):
        best_matching(tf.zeros([1, 13, 20]))
