"""A plain decoder of constellations without the geometry of capsules, as a baseline for them."""

from __future__ import annotations

import keras
import tensorflow as tf

from discovery import Seed
from stacked_capsules.batched_dense import BatchedMLP
from stacked_capsules.constellation_capsule import PointVotes
from stacked_capsules.presence_noise import presence_noise
from stacked_capsules.vote_likelihood import OrderInvariantVoteLikelihood, VoteExplanation


@keras.saving.register_keras_serializable(package="stacked_capsules")
class ConstellationDecoder(keras.layers.Layer):
    """Predicts the points of each object with its own MLP; takes the place of `ConstellationCapsule`.

    Args:
        n_caps: Number of objects O.
        n_votes: Number of points V that each can predict.
        n_hiddens: Width of the two hidden layers.
        noise_scale: Width of the uniform noise on presence logits.
        eval_noise: Add noise whenever there is a seed, not only in training.
    """

    def __init__(
        self,
        n_caps: int,
        n_votes: int,
        n_hiddens: int = 128,
        noise_scale: float = 4.0,
        eval_noise: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.n_caps = n_caps
        self.n_votes = n_votes
        self.n_hiddens = n_hiddens
        self.noise_scale = noise_scale
        self.eval_noise = eval_noise
        self._outputs = [1, n_votes, n_votes, 2 * n_votes]
        self.mlp = BatchedMLP([n_hiddens, n_hiddens, sum(self._outputs)], name="mlp")
        self.likelihood = OrderInvariantVoteLikelihood(n_votes, name="likelihood")

    def build(self, input_shape):
        """Creates the weights; `input_shape` is that of the encoding, [B, O, d]."""
        self.mlp.build(input_shape)
        self.likelihood.build((input_shape[0], self.n_caps * self.n_votes, 2))

    def call(
        self,
        encoding: tf.Tensor,
        corners: tf.Tensor,
        presence: tf.Tensor,
        training: bool = False,
        seed: Seed | int | None = None,
    ) -> tuple[PointVotes, VoteExplanation]:
        """Predicts points and explains the given ones.

        Args:
            encoding: [B, O, d], one encoding per object.
            corners: [B, N, 2], the points.
            presence: [B, N], 0 or 1.
            training: Add noise, if there is a seed.
            seed: Seed of the noise.
        """
        seed = Seed.of(seed)
        n_votes = self.n_caps * self.n_votes
        per_caps, per_vote, scale, vote = tf.split(self.mlp(encoding), self._outputs, -1)  # each: [B, O, ...]
        if seed is not None and (training or self.eval_noise):
            per_caps += presence_noise("uniform", self.noise_scale, per_caps, seed.fold(0))
            per_vote += presence_noise("uniform", self.noise_scale, per_vote, seed.fold(1))
        presence_prob = tf.sigmoid(per_caps) * tf.sigmoid(per_vote)  # [B, O, V]
        vote = tf.reshape(vote, [-1, n_votes, 2])  # [B, M, 2]
        points = PointVotes(
            vote=vote,
            scale=tf.reshape(tf.nn.softplus(scale + 0.5) + 1e-6, [-1, n_votes]),
            vote_presence_prob=tf.reshape(presence_prob, [-1, n_votes]),
            pres_logit_per_caps=tf.squeeze(per_caps, -1),
            pres_logit_per_vote=tf.reshape(per_vote, [-1, n_votes]),
            transform=_translation(vote),
            raw_caps_params=encoding,
            dynamic_weights_l2=tf.zeros_like(per_caps[:, 0, 0]),
        )
        explanation = self.likelihood(corners, points.vote, points.scale, points.vote_presence_prob, presence)
        return points, explanation

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "n_caps": self.n_caps,
            "n_votes": self.n_votes,
            "n_hiddens": self.n_hiddens,
            "noise_scale": self.noise_scale,
            "eval_noise": self.eval_noise,
        }


def _translation(shift: tf.Tensor) -> tf.Tensor:
    """Returns homogeneous matrices of translations: [B, M, 2] -> [B, M, 3, 3]."""
    column = tf.concat([shift, tf.zeros_like(shift[..., :1])], -1)[..., tf.newaxis]  # [B, M, 3, 1]
    return tf.eye(3) + column * tf.constant([0.0, 0.0, 1.0])
