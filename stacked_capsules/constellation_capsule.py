"""Object capsules for point patterns, which predict the points of a pattern (SCAE, section 2.1)."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from discovery import Seed
from stacked_capsules.geometry import apply_transform
from stacked_capsules.object_capsules import CapsuleLayer
from stacked_capsules.serialization import arguments_of, rebuilt_arguments
from stacked_capsules.vote_likelihood import OrderInvariantVoteLikelihood, VoteExplanation


class PointVotes(NamedTuple):
    """All capsules' votes for the positions of points: O capsules, M = O * n_votes votes, grouped by capsule.

    Attributes:
        vote: [B, M, 2], positions.
        scale: [B, M], positive, standard deviation of each.
        vote_presence_prob: [B, M], in [0, 1]: the capsule's presence times its point's.
        pres_logit_per_caps: [B, O], logit of the capsule's presence, noise included.
        pres_logit_per_vote: [B, M], logit of the point's presence given the capsule, noise included.
        transform: [B, M, 3, 3], the full pose, whose translation is the position.
        raw_caps_params: [B, O, n_caps_params], the capsules' parameters.
        dynamic_weights_l2: [B], half the squared norm of the predicted part-to-object relations.
    """

    vote: tf.Tensor
    scale: tf.Tensor
    vote_presence_prob: tf.Tensor
    pres_logit_per_caps: tf.Tensor
    pres_logit_per_vote: tf.Tensor
    transform: tf.Tensor
    raw_caps_params: tf.Tensor
    dynamic_weights_l2: tf.Tensor


@keras.saving.register_keras_serializable(package="stacked_capsules")
class ConstellationCapsule(keras.layers.Layer):
    """Capsules that vote for points, and the likelihood of points under their votes.

    Args:
        capsules: Casts the votes.
        likelihood: Explains points by votes.
    """

    def __init__(self, capsules: CapsuleLayer, likelihood: OrderInvariantVoteLikelihood, **kwargs):
        super().__init__(**kwargs)
        self.capsules = capsules
        self.likelihood = likelihood
        self.n_caps = capsules.n_caps
        self.n_votes = capsules.n_votes

    def build(self, input_shape):
        """Creates the weights; `input_shape` is that of the encoding, [B, O, d]."""
        self.capsules.build(input_shape)
        self.likelihood.build((input_shape[0], self.n_caps * self.n_votes, 2))

    def call(
        self,
        encoding: tf.Tensor,
        corners: tf.Tensor,
        presence: tf.Tensor,
        training: bool = False,
        seed: Seed | None = None,
    ) -> tuple[PointVotes, VoteExplanation]:
        """Votes for points and explains them.

        SCAE, section 2.1, mixture component of a vote:
            p(x_m | k, n) = N(x_m | mu_kn, lambda_kn), mu_kn the translation in V_kn.

        Args:
            encoding: [B, O, d], one encoding per capsule.
            corners: [B, N, 2], the points.
            presence: [B, N], 0 or 1.
            training: Add noise and drop capsules, if there is a seed.
            seed: Seed of noise and dropout.
        """
        objects = self.capsules(encoding, training=training, seed=seed)
        n_votes = self.n_caps * self.n_votes
        transform = tf.reshape(objects.vote, [-1, n_votes, 3, 3])  # [B, M, 3, 3]
        points = PointVotes(
            vote=apply_transform(transform),
            scale=tf.reshape(objects.scale, [-1, n_votes]),
            vote_presence_prob=tf.reshape(objects.vote_presence_prob, [-1, n_votes]),
            pres_logit_per_caps=tf.squeeze(objects.pres_logit_per_caps, -1),
            pres_logit_per_vote=tf.reshape(objects.pres_logit_per_vote, [-1, n_votes]),
            transform=transform,
            raw_caps_params=objects.raw_caps_params,
            dynamic_weights_l2=objects.dynamic_weights_l2,
        )
        explanation = self.likelihood(corners, points.vote, points.scale, points.vote_presence_prob, presence)
        return points, explanation

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), **arguments_of(self, ConstellationCapsule)}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the layer and its sublayers."""
        return cls(**rebuilt_arguments(config))
