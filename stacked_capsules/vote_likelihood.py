"""Likelihood of parts under a mixture of object capsules' votes (SCAE, sections 2.1 and 2.3)."""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from discovery import UserError
from stacked_capsules.safe_math import safe_log

#: Log-density of the dummy vote, which explains what no capsule does, and its mixing logit: both log 0.01.
DUMMY_LOG_PROB = -2.0 * math.log(10.0)


class VoteExplanation(NamedTuple):
    """How votes explain parts: P parts (or N points) of D dimensions, O capsules, M votes in total.

    Attributes:
        log_prob: [B], log-likelihood of all parts under the mixture.
        vote_presence: 0 or 1, in the votes' shape: whether a vote's prior probability exceeds the dummy's.
        winner: [B, P, D], the vote that explains each part best.
        winner_pres: [B, P], prior presence of that vote, in [0, 1].
        is_from_capsule: int32 [B, P], the capsule that cast it.
        mixing_logits: log presence of each vote, the dummy's last: [B, O + 1, P] or [B, M + 1].
        mixing_log_prob: The same, normalized over the votes.
        soft_winner: [B, P, D], posterior mean of the votes; zeros from `OrderInvariantVoteLikelihood`.
        soft_winner_pres: [B, P], posterior mean of their presences; zeros likewise.
        posterior_mixing_probs: [B, P, O] or [B, P, M], without the dummy's, with which they sum to one.
    """

    log_prob: tf.Tensor
    vote_presence: tf.Tensor
    winner: tf.Tensor
    winner_pres: tf.Tensor
    is_from_capsule: tf.Tensor
    mixing_logits: tf.Tensor
    mixing_log_prob: tf.Tensor
    soft_winner: tf.Tensor
    soft_winner_pres: tf.Tensor
    posterior_mixing_probs: tf.Tensor


class _Likelihood(keras.layers.Layer):
    """What both likelihoods share: the density of one vote."""

    def __init__(self, pdf: str = "normal", **kwargs):
        super().__init__(**kwargs)
        if pdf not in ("normal", "student"):
            raise UserError(f"vote likelihood: density {pdf!r} is not known, use normal or student")
        self.pdf = pdf

    def build(self, votes_shape):
        """Creates the weights; `votes_shape` is that of the votes."""
        del votes_shape
        self.df = None
        if self.pdf == "student":
            self.df = self.add_weight(name="df", shape=(), initializer=keras.initializers.Constant(2.0))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "pdf": self.pdf}

    def _log_density(self, x, votes, scale):
        """Returns log p(x | vote), summed over the last axis; `scale` has no such axis."""
        if self.pdf == "normal":  # written out: dimensions are summed before anything is divided by scales
            squared = tf.reduce_sum(tf.math.squared_difference(x, votes), -1) / tf.square(scale)
            return -0.5 * squared - votes.shape[-1] * (tf.math.log(scale) + 0.5 * math.log(2.0 * math.pi))
        density = tfp.distributions.StudentT(tf.nn.softplus(self.df) + 2.0, votes, scale[..., tf.newaxis])
        return tf.reduce_sum(density.log_prob(x), -1)


@keras.saving.register_keras_serializable(package="stacked_capsules")
class VoteLikelihood(_Likelihood):
    """Likelihood of ordered parts: each capsule casts one vote for each of them.

    The log-likelihood uses unnormalized mixing logits, as the published numbers do.

    Args:
        pdf: "normal" or "student" (its degrees of freedom, above 2, are learned).
    """

    def build(self, votes_shape):
        """Creates the weights; `votes_shape` is [B, O, P, D]."""
        super().build(votes_shape)
        self.dummy_vote = self.add_weight(
            name="dummy_vote", shape=(1, 1, *votes_shape[-2:]), initializer="glorot_uniform"
        )

    def call(
        self,
        x: tf.Tensor,
        votes: tf.Tensor,
        scale: tf.Tensor,
        vote_presence_prob: tf.Tensor,
        presence: tf.Tensor | None = None,
    ) -> VoteExplanation:
        """Explains parts.

        SCAE, section 2.3, part likelihood:
            p(x_1:M, d_1:M) = prod_m [sum_k a_k a_km N(x_m | V_km, lambda_km)]^d_m.

        Args:
            x: [B, P, D], the parts' poses.
            votes: [B, O, P, D].
            scale: [B, O, P], positive, the votes' standard deviations.
            vote_presence_prob: [B, O, P], in [0, 1].
            presence: [B, P], in [0, 1], how much each part counts; None: all count fully.
        """
        n_parts = votes.shape[2]
        log_density = self._log_density(x[:, tf.newaxis], votes, scale)  # [B, O, P]
        mixing_logits = safe_log(vote_presence_prob)  # [B, O, P]
        dummy = tf.zeros_like(mixing_logits[:, :1]) + DUMMY_LOG_PROB  # [B, 1, P]
        log_density = tf.concat([log_density, dummy], 1)  # [B, O + 1, P]
        mixing_logits = tf.concat([mixing_logits, dummy], 1)  # [B, O + 1, P]
        joint = mixing_logits + log_density  # [B, O + 1, P]

        log_prob = tf.reduce_logsumexp(joint, 1)  # [B, P]
        if presence is not None:
            log_prob *= presence

        winner = tf.argmax(joint[:, :-1], 1, output_type=tf.int32)  # [B, P]
        # votes are gathered as rows of [O * P], which avoids a transposed copy
        row = winner * n_parts + tf.range(n_parts)  # [B, P]
        flat_votes = tf.reshape(votes, [-1, votes.shape[1] * n_parts, votes.shape[3]])  # [B, O * P, D]
        flat_presence = tf.reshape(vote_presence_prob, [-1, votes.shape[1] * n_parts])  # [B, O * P]

        posterior = tf.nn.softmax(joint, 1)  # [B, O + 1, P]
        of_votes = posterior[:, :-1]  # [B, O, P]
        soft_winner = tf.reduce_sum(of_votes[..., tf.newaxis] * votes, 1)  # [B, P, D]
        soft_winner += posterior[:, -1, :, tf.newaxis] * self.dummy_vote[0]  # [B, P, D]

        return VoteExplanation(
            log_prob=tf.reduce_sum(log_prob, 1),
            vote_presence=tf.cast(mixing_logits[:, :-1] > mixing_logits[:, -1:], votes.dtype),
            winner=tf.gather(flat_votes, row, batch_dims=1),
            winner_pres=tf.gather(flat_presence, row, batch_dims=1),
            is_from_capsule=winner,
            mixing_logits=mixing_logits,
            mixing_log_prob=tf.nn.log_softmax(mixing_logits, 1),
            soft_winner=soft_winner,
            soft_winner_pres=tf.reduce_sum(of_votes * vote_presence_prob, 1),
            posterior_mixing_probs=tf.transpose(of_votes, [0, 2, 1]),
        )


@keras.saving.register_keras_serializable(package="stacked_capsules")
class OrderInvariantVoteLikelihood(_Likelihood):
    """Likelihood of unordered points: any vote of any capsule may explain each.

    Args:
        n_votes: Votes per capsule; votes are grouped by capsule.
        pdf: "normal" or "student" (its degrees of freedom, above 2, are learned).
    """

    def __init__(self, n_votes: int, pdf: str = "normal", **kwargs):
        super().__init__(pdf, **kwargs)
        self.n_votes = n_votes

    def call(
        self,
        x: tf.Tensor,
        votes: tf.Tensor,
        scale: tf.Tensor,
        vote_presence_prob: tf.Tensor,
        presence: tf.Tensor | None = None,
    ) -> VoteExplanation:
        """Explains points.

        SCAE, section 2.1, point likelihood, votes in any order:
            p(x_1:M) = prod_m sum_kn a_k a_kn / (sum_i a_i sum_j a_ij) p(x_m | k, n).

        Args:
            x: [B, N, D].
            votes: [B, M, D], M = capsules * n_votes.
            scale: [B, M], positive, the votes' standard deviations.
            vote_presence_prob: [B, M], in [0, 1].
            presence: [B, N], in [0, 1], how much each point counts; None: all count fully.
        """
        log_density = self._log_density(
            x[:, :, tf.newaxis], votes[:, tf.newaxis], scale[:, tf.newaxis]
        )  # [B, N, M]
        log_density = tf.concat([log_density, tf.zeros_like(x[..., :1]) + DUMMY_LOG_PROB], 2)  # [B, N, M + 1]
        mixing_logits = safe_log(vote_presence_prob)  # [B, M]
        dummy = tf.zeros_like(mixing_logits[:, :1]) + DUMMY_LOG_PROB  # [B, 1]
        mixing_logits = tf.concat([mixing_logits, dummy], 1)  # [B, M + 1]
        mixing_log_prob = tf.nn.log_softmax(mixing_logits, 1)  # [B, M + 1]
        joint = mixing_log_prob[:, tf.newaxis] + log_density  # [B, N, M + 1]

        log_prob = tf.reduce_logsumexp(joint, 2)  # [B, N]
        if presence is not None:
            log_prob *= presence

        winner = tf.argmax(joint[..., :-1], 2, output_type=tf.int32)  # [B, N]
        winning_vote = tf.gather(votes, winner, batch_dims=1)  # [B, N, D]
        winner_pres = tf.gather(vote_presence_prob, winner, batch_dims=1)  # [B, N]
        return VoteExplanation(
            log_prob=tf.reduce_sum(log_prob, 1),
            vote_presence=tf.cast(mixing_logits[:, :-1] > mixing_logits[:, -1:], votes.dtype),
            winner=winning_vote,
            winner_pres=winner_pres,
            is_from_capsule=winner // self.n_votes,
            mixing_logits=mixing_logits,
            mixing_log_prob=mixing_log_prob,
            soft_winner=tf.zeros_like(winning_vote),
            soft_winner_pres=tf.zeros_like(winner_pres),
            posterior_mixing_probs=tf.nn.softmax(joint, 2)[..., :-1],
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "n_votes": self.n_votes}
