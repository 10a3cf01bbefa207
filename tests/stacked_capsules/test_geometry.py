import math

import numpy as np
import pytest
import tensorflow as tf

from stacked_capsules.geometry import apply_transform, from_homogeneous, geometric_transform, to_homogeneous


def test_hand_worked_maps():
    quarter_turn = [2.0, 3.0, math.pi / 2, 0.0, 5.0, 7.0]  # scales, angle, shear, shifts, taken as they are
    rows = geometric_transform(tf.constant(quarter_turn), nonlinear=False)
    np.testing.assert_allclose(rows, [0.0, -2.01, 5.0, 3.01, 0.0, 7.0], atol=1e-6)
    rows = geometric_transform(tf.constant(quarter_turn), similarity=True, nonlinear=False)
    np.testing.assert_allclose(rows, [0.0, -2.01, 5.0, 2.01, 0.0, 7.0], atol=1e-6)
    rows = geometric_transform(tf.zeros([6]))
    np.testing.assert_allclose(rows, [0.51, 0.0, 0.0, 0.0, 0.51, 0.0], atol=1e-6)


def test_shear_moves_along_x_only():
    matrix = geometric_transform(
        tf.constant([0.99, 0.99, 0.0, 0.5, 0.0, 0.0]), nonlinear=False, as_matrix=True
    )
    np.testing.assert_allclose(apply_transform(matrix, tf.constant([[0.0, 1.0]])), [[0.5, 1.0]], atol=1e-6)


@pytest.mark.parametrize("similarity", [False, True])
def test_matrix_has_the_rows_and_keeps_the_batch(similarity):
    pose = tf.random.stateless_normal([4, 3, 6], [0, 0])
    rows = geometric_transform(pose, similarity)  # [4, 3, 6]
    matrix = geometric_transform(pose, similarity, as_matrix=True)  # [4, 3, 3, 3]
    np.testing.assert_array_equal(tf.reshape(matrix[..., :2, :], [4, 3, 6]), rows)
    np.testing.assert_array_equal(matrix[..., 2, :], np.broadcast_to([0.0, 0.0, 1.0], [4, 3, 3]))


def test_each_set_of_points_is_mapped_by_its_own_transform():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=[4, 3, 3]).astype(np.float32)
    matrix[:, 2] = [0.0, 0.0, 1.0]
    points = rng.normal(size=[4, 5, 2]).astype(np.float32)
    oracle = np.stack([p @ m[:2, :2].T + m[:2, 2] for p, m in zip(points, matrix, strict=True)])
    np.testing.assert_allclose(apply_transform(matrix, points), oracle, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(apply_transform(matrix, points, affine=False), oracle, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(apply_transform(matrix), matrix[:, :2, 2])


def test_homogeneous_coordinates_and_back():
    points = tf.random.stateless_normal([4, 5, 2], [0, 0])
    np.testing.assert_allclose(from_homogeneous(3.0 * to_homogeneous(points)), points, rtol=1e-5)
