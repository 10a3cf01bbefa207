"""Object capsules for images, each of which predicts the pose of every part (SCAE, section 2.3)."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from discovery import Seed
from stacked_capsules.object_capsules import CapsuleLayer, ObjectCapsules
from stacked_capsules.serialization import arguments_of, rebuilt_arguments
from stacked_capsules.vote_likelihood import VoteExplanation, VoteLikelihood


class ExplainedParts(NamedTuple):
    """How O object capsules explain P parts.

    Attributes:
        objects: The capsules' votes, `vote` as [B, O, P, 6], rows (m00, m01, tx, m10, m11, ty).
        votes: How the votes explain the parts.
        caps_presence_prob: [B, O], in [0, 1], presence of each capsule's most present vote.
    """

    objects: ObjectCapsules
    votes: VoteExplanation
    caps_presence_prob: tf.Tensor


@keras.saving.register_keras_serializable(package="stacked_capsules")
class ImageCapsule(keras.layers.Layer):
    """Capsules that vote for each part, and the likelihood of the parts under their votes.

    Args:
        capsules: Casts one vote for each part.
        likelihood: Explains parts by votes.
    """

    def __init__(self, capsules: CapsuleLayer, likelihood: VoteLikelihood, **kwargs):
        super().__init__(**kwargs)
        self.capsules = capsules
        self.likelihood = likelihood
        self.n_caps = capsules.n_caps
        self.n_votes = capsules.n_votes

    def build(self, input_shape):
        """Creates the weights; `input_shape` is that of the encoding, [B, O, d]."""
        self.capsules.build(input_shape)
        self.likelihood.build((input_shape[0], self.n_caps, self.n_votes, 6))

    def call(
        self,
        encoding: tf.Tensor,
        pose: tf.Tensor,
        presence: tf.Tensor | None = None,
        training: bool = False,
        seed: Seed | int | None = None,
    ) -> ExplainedParts:
        """Votes for parts and explains them.

        SCAE, section 2.4, prior presence of an object: a_k^prior = a_k max_m a_km.

        Args:
            encoding: [B, O, d], one encoding per capsule.
            pose: [B, P, 6], the parts.
            presence: [B, P], in [0, 1], how much each part counts; None: all count fully.
            training: Add noise and drop capsules, if there is a seed.
            seed: Seed of noise and dropout.
        """
        objects = self.capsules(encoding, training=training, seed=seed, as_matrix=False)
        return ExplainedParts(
            objects=objects,
            votes=self.likelihood(pose, objects.vote, objects.scale, objects.vote_presence_prob, presence),
            caps_presence_prob=tf.reduce_max(objects.vote_presence_prob, 2),
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), **arguments_of(self, ImageCapsule)}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the layer and its sublayers."""
        return cls(**rebuilt_arguments(config))
