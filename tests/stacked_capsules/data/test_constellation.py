"""Constellations have the original's distribution; streams are pure functions of the step."""

import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from discovery import Seed, UserError
from stacked_capsules.data import DataConfig, load
from stacked_capsules.data.constellation import CHUNK, Draws, constellations, layout, random_draws

GROUPS = ((0,), (1,), (0,))


def config(**options):
    return DataConfig(dataset="constellation", **{"batch_size": 4, **options})


def first(dataset, n):
    return list(itertools.islice(dataset.as_numpy_iterator(), n))


def columns(batches):
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def still(n, groups, **changes):
    """Draws that leave objects upright, at scale 1 and at the origin."""
    n_groups = len(groups)
    half, zeros = np.full([n, n_groups], 0.5), np.zeros([n, n_groups])
    draws = Draws(half, zeros, np.zeros([n, n_groups, 2]), np.ones([n, n_groups]), None, None)
    return draws._replace(**changes)


def test_a_batch_has_the_documented_types_and_shapes():
    spec = load(config()).train(0).element_spec
    assert spec == {
        "corners": tf.TensorSpec([4, 11, 2], tf.float32),
        "presence": tf.TensorSpec([4, 11], tf.float32),
        "pattern_presence": tf.TensorSpec([4, 3], tf.float32),
        "pattern_id": tf.TensorSpec([4, 11], tf.int64),
    }


def test_points_agree_with_their_objects():
    data = columns(first(load(config(batch_size=100)).train(0), 10))
    np.testing.assert_array_equal(np.sort(data["pattern_id"], axis=1)[:5], [[0] * 4 + [1] * 3 + [2] * 4] * 5)
    of_points = np.take_along_axis(data["pattern_presence"], data["pattern_id"], axis=1)
    np.testing.assert_array_equal(data["presence"], of_points)
    # present in half of the examples, independently
    np.testing.assert_allclose(data["pattern_presence"].mean(axis=0), 0.5, atol=0.06)
    np.testing.assert_allclose(np.corrcoef(data["pattern_presence"].T), np.eye(3), atol=0.12)
    # corners come in any order
    share = (data["pattern_id"] == 1).mean(axis=0)
    np.testing.assert_allclose(share, 3 / 11, atol=0.06)


def test_draws_are_uniform_and_independent():
    n = 4000
    draws = random_draws(Seed.of(1), n, GROUPS, 0.25, True, True)
    uniform = [
        draws.rotation,
        draws.scale,
        draws.translation[..., 0],
        draws.translation[..., 1],
    ]  # each [n, 3]
    columns = np.concatenate(uniform, axis=1)  # [n, 12]
    assert min(scipy.stats.kstest(column, "uniform").pvalue for column in columns.T) > 1e-3
    everything = np.concatenate([columns, draws.presence, np.reshape(draws.noise, [n, -1])], axis=1)
    correlation = np.corrcoef(everything.T) - np.eye(everything.shape[1])
    assert np.abs(correlation).max() < 5.0 / np.sqrt(n)
    np.testing.assert_allclose(np.mean(draws.presence, axis=0), 0.75, atol=0.03)
    assert scipy.stats.kstest(np.ravel(draws.noise), "norm").pvalue > 1e-3
    np.testing.assert_array_equal(np.sort(draws.order, axis=1), np.tile(np.arange(11), [n, 1]))
    counts = np.stack([np.bincount(column, minlength=11) for column in np.transpose(draws.order)])  # [11, 11]
    assert scipy.stats.chisquare(counts.ravel()).pvalue > 1e-3


def test_geometry_by_hand():
    groups = ((1,),)
    a_quarter_turn = still(1, groups, rotation=np.array([[1.0]]))  # +pi * 0.5
    corners = constellations(a_quarter_turn, groups, 0.5, 1.0, 3.0, 0.0)["corners"][0]
    # (1, 2), (3, 1), (3, 3) become (-2, 1), (-1, 3), (-3, 3); the smallest value is -3, the largest 3
    np.testing.assert_allclose(corners, np.array([[-2, 1], [-1, 3], [-3, 3]]) / 3.0, atol=1e-6)

    moved = still(1, groups, scale=np.array([[1.0]]), translation=np.array([[[0.5, 0.25]]]))
    corners = constellations(moved, groups, 0.5, 1.0, 3.0, 0.0)["corners"][0]
    raw = 4.0 * np.array([[1, 2], [3, 1], [3, 3]]) + np.array([12.0, 6.0]) / 4.0  # moved by shift / scale
    np.testing.assert_allclose(corners, (raw - raw.min()) / np.ptp(raw) * 2.0 - 1.0, atol=1e-6)


def test_absent_points_take_part_in_normalization():
    moved = still(
        1, GROUPS, presence=np.array([[1.0, 0.0, 1.0]]), translation=np.array([[[0, 0], [1, 1], [0, 0]]])
    )
    absent = constellations(moved, GROUPS, 0.5, 1.0, 3.0, 0.0)
    corners, presence = absent["corners"].numpy(), absent["presence"].numpy()
    assert corners.max() == 1.0
    assert corners[presence > 0.0].max() < 0.0


def test_a_compound_carries_copies_of_one_pattern_at_the_corners_of_another():
    """Two squares give 4 squares at the corners of a square twice as large."""
    corners = layout((0, 0))
    expected = {(x + 2 * u, y + 2 * v) for x, y in layout((0,)) for u, v in layout((0,))}
    assert corners.shape == (16, 2)
    assert set(map(tuple, corners)) == expected
    data = columns(first(load(config(which_patterns=((0, 1), (2,)))).train(0), 2))
    np.testing.assert_array_equal(np.sort(data["pattern_id"], axis=1), [[0] * 12 + [1] * 5] * 8)
    assert data["pattern_presence"].shape == (8, 2)


def test_noise_has_its_standard_deviation_before_normalization():
    quiet, noisy = (
        still(500, GROUPS),
        still(500, GROUPS, noise=np.random.default_rng(0).normal(size=[500, 11, 2])),
    )
    corners = constellations(noisy, GROUPS, 0.5, 1.0, 3.0, 0.1)["corners"].numpy()
    spread = corners.std(axis=0).mean() / (corners[:, 0].mean() - corners[:, 1].mean())  # of 2, from 1 to 3
    np.testing.assert_allclose(spread * 2.0, 0.1, rtol=0.02)
    assert (constellations(quiet, GROUPS, 0.5, 1.0, 3.0, 0.1)["corners"].numpy().std(axis=0) < 1e-6).all()


def test_a_chunk_of_100_batches_spans_minus_1_to_1_and_no_single_batch_does():
    corners = columns(first(load(config()).train(CHUNK), 3 * CHUNK))["corners"].reshape(3, CHUNK, -1)
    np.testing.assert_allclose(corners.min(axis=(1, 2)), -1.0, atol=1e-6)
    np.testing.assert_allclose(corners.max(axis=(1, 2)), 1.0, atol=1e-6)
    assert (corners.max(axis=2) < 0.999).mean() > 0.9


def test_any_start_continues_the_stream_and_streams_differ():
    def batches(name, start, n=3, **options):
        source = load(config(**options))
        return columns(first(getattr(source, name)(start), n))["corners"]

    unbroken = batches("train", 0, 2 * CHUNK + 4)
    for start in (1, 57, CHUNK - 1, CHUNK, 2 * CHUNK + 1):
        np.testing.assert_array_equal(batches("train", start), unbroken[4 * start : 4 * start + 12])
    np.testing.assert_array_equal(batches("valid", 7), batches("valid", 5, 5)[8:])
    assert not np.isin(batches("valid", 0), unbroken).any()
    assert (batches("train", 0, seed=1) != unbroken[:12]).any()


def test_whole_has_n_examples_always_the_same():
    source = load(config(n_examples=CHUNK * 4 + 10))
    batches = first(source.whole("valid"), 999)
    assert [len(batch["corners"]) for batch in batches] == [4] * (CHUNK + 2) + [2]
    assert source.whole("valid").cardinality() == CHUNK + 3
    again = columns(first(source.whole("valid"), 999))
    np.testing.assert_array_equal(columns(batches)["corners"], again["corners"])
    assert (columns(first(source.whole("train"), 1))["corners"] != again["corners"][:4]).any()


def test_the_scale_schedule_grows_in_steps_of_a_chunk():
    options = {"use_scale_schedule": True, "schedule_steps": 2 * CHUNK, "min_scale": 0.0, "max_scale": 7.0}
    source = load(config(which_patterns=((0,),), max_translation=0.0, shuffle_corners=False, **options))
    # at the origin only the scale of squares varies: their largest is 1, 4.5, 8 and 8 times the smallest
    corners = columns(first(source.train(0), 4 * CHUNK))["corners"].reshape(4, 4 * CHUNK, 4, 2)
    side = np.linalg.norm(corners[:, :, 0] - corners[:, :, 1], axis=-1)  # [4, 4 * CHUNK]
    np.testing.assert_allclose(side.max(axis=1) / side.min(axis=1), [1.0, 4.5, 8.0, 8.0], rtol=0.05)
    final = columns(first(source.whole("valid"), 50))["corners"]
    side = np.linalg.norm(final[:, 0] - final[:, 1], axis=-1)
    assert side.max() / side.min() > 6.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"which_patterns": "stars"}, "which_patterns=stars: choose basic, all"),
        ({"which_patterns": ((0,), (4,))}, "each group needs at least one id from 0 to 3"),
        ({"which_patterns": ((0,), ())}, "each group needs at least one id from 0 to 3"),
        ({"drop_prob": 1.5}, r"drop_prob=1.5: must lie in \[0, 1\]"),
        ({"use_scale_schedule": True}, "schedule_steps=0: a scale schedule needs at least 1 step"),
        ({"n_examples": 0}, "n_examples=0: must be at least 1"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(UserError, match=message):
        load(config(**options))
