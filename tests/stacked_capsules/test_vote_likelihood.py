import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from discovery import UserError
from stacked_capsules.vote_likelihood import OrderInvariantVoteLikelihood, VoteLikelihood

LOG_DUMMY = -2 * np.log(10)


@pytest.fixture
def points():
    """Three votes of two capsules with one point on the second vote, one far from all, and one absent."""
    return {
        "x": np.array([[[0.9, 1.1], [9.0, 9.0], [0.0, 0.0]]], np.float32),
        "votes": np.array([[[0.0, 0.0], [1.0, 1.0], [-1.0, 2.0], [3.0, 3.0]]], np.float32),
        "scale": np.array([[0.5, 0.2, 1.0, 2.0]], np.float32),
        "vote_presence_prob": np.array([[0.9, 0.6, 0.2, 0.0]], np.float32),
        "presence": np.array([[1.0, 1.0, 0.0]], np.float32),
    }


def test_order_invariant_likelihood_against_scipy(points):
    got = OrderInvariantVoteLikelihood(n_votes=2)(**points)
    prior = np.append(points["vote_presence_prob"][0], 0.01)
    with np.errstate(divide="ignore"):
        log_prior = np.log(prior / prior.sum())  # [M + 1]
    density = scipy.stats.norm(points["votes"][0], points["scale"][0][:, None]).logpdf(
        points["x"][0][:, None]
    )
    density = np.append(density.sum(-1), np.full((3, 1), LOG_DUMMY), 1)  # [N, M + 1]
    joint = log_prior + density
    per_point = scipy.special.logsumexp(joint, 1)
    np.testing.assert_allclose(got.log_prob, [per_point[0] + per_point[1]], rtol=1e-5)
    np.testing.assert_allclose(
        got.posterior_mixing_probs[0], scipy.special.softmax(joint, 1)[:, :-1], atol=1e-6
    )
    assert got.is_from_capsule[0, 0] == 0
    np.testing.assert_array_equal(got.winner[0, 0], [1.0, 1.0])
    np.testing.assert_allclose(got.winner_pres[0, 0], 0.6)
    np.testing.assert_array_equal(got.vote_presence, [[1, 1, 1, 0]])


def test_order_invariant_likelihood_permutes_with_the_points(points):
    layer = OrderInvariantVoteLikelihood(n_votes=2)
    got = layer(**points)
    order = [2, 0, 1]
    moved = layer(**{**points, "x": points["x"][:, order], "presence": points["presence"][:, order]})
    np.testing.assert_allclose(moved.log_prob, got.log_prob, rtol=1e-6)
    np.testing.assert_array_equal(moved.is_from_capsule, tf.gather(got.is_from_capsule, order, axis=1))


def test_per_part_likelihood_against_scipy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 6)).astype(np.float32)  # [B, P, D]
    votes = rng.normal(size=(2, 3, 4, 6)).astype(np.float32)  # [B, O, P, D]
    scale = rng.uniform(0.5, 2.0, (2, 3, 4)).astype(np.float32)
    prob = rng.uniform(0.0, 1.0, (2, 3, 4)).astype(np.float32)
    presence = rng.uniform(0.0, 1.0, (2, 4)).astype(np.float32)
    layer = VoteLikelihood()
    got = layer(x, votes, scale, prob, presence)

    density = scipy.stats.norm(votes, scale[..., None]).logpdf(x[:, None]).sum(-1)  # [B, O, P]
    # mixing logits are not normalized here
    joint = np.append(np.log(prob) + density, np.full((2, 1, 4), 2 * LOG_DUMMY), 1)  # [B, O + 1, P]
    np.testing.assert_allclose(got.log_prob, (scipy.special.logsumexp(joint, 1) * presence).sum(1), rtol=1e-5)
    posterior = scipy.special.softmax(joint, 1)
    np.testing.assert_allclose(got.posterior_mixing_probs, posterior[:, :-1].transpose(0, 2, 1), atol=1e-5)
    winner = joint[:, :-1].argmax(1)  # [B, P]
    np.testing.assert_array_equal(got.is_from_capsule, winner)
    np.testing.assert_array_equal(got.winner[1, 2], votes[1, winner[1, 2], 2])
    np.testing.assert_array_equal(got.winner_pres[1, 2], prob[1, winner[1, 2], 2])
    with_dummy = np.append(votes, np.repeat(layer.dummy_vote.numpy(), 2, 0), 1)  # [B, O + 1, P, D]
    np.testing.assert_allclose(got.soft_winner, (posterior[..., None] * with_dummy).sum(1), atol=1e-5)
    np.testing.assert_allclose(got.soft_winner_pres, (posterior[:, :-1] * prob).sum(1), atol=1e-5)


def test_unknown_density():
    with pytest.raises(UserError, match="'cauchy' is not known, use normal or student"):
        VoteLikelihood(pdf="cauchy")
