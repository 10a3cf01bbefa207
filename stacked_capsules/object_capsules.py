"""Object capsules: whole objects that cast votes for the poses of their parts (SCAE, section 2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from discovery import Seed, UserError
from stacked_capsules.batched_dense import BatchedMLP
from stacked_capsules.geometry import geometric_transform
from stacked_capsules.presence_noise import check_noise_type, presence_noise
from stacked_capsules.safe_math import safe_log


class ObjectCapsules(NamedTuple):
    """What O capsules predict for V parts each.

    Attributes:
        vote: [B, O, V, 3, 3], pose of each part: (object to viewer) times (part to object); without
            `as_matrix`, [B, O, V, 6], its first two rows.
        scale: [B, O, V], positive, standard deviation of the vote.
        vote_presence_prob: [B, O, V], in [0, 1]: the capsule's presence times its part's.
        pres_logit_per_caps: [B, O, 1], logit of the capsule's presence, noise included.
        pres_logit_per_vote: [B, O, V], logit of the part's presence given the capsule, noise included.
        raw_caps_params: [B, O, n_caps_params], the capsule's parameters.
        dynamic_weights_l2: [B], half the squared norm of the predicted part-to-object relations.
    """

    vote: tf.Tensor
    scale: tf.Tensor
    vote_presence_prob: tf.Tensor
    pres_logit_per_caps: tf.Tensor
    pres_logit_per_vote: tf.Tensor
    raw_caps_params: tf.Tensor
    dynamic_weights_l2: tf.Tensor


@keras.saving.register_keras_serializable(package="stacked_capsules")
class CapsuleLayer(keras.layers.Layer):
    """Turns an encoding of each object into votes for its parts.

    Args:
        n_caps: Number of capsules O.
        n_votes: Number of votes V of each capsule.
        n_caps_params: Width of a capsule's parameters; None: the encoding itself serves as parameters.
        n_hiddens: Width or widths of the hidden layers of both MLPs.
        learn_vote_scale: Predict the votes' scales; otherwise, they are 1.
        deformations: Let part-to-object relations depend on the input; otherwise, they are learned constants.
        noise_type: Noise on presence logits: "none", "uniform", "logistic" or "normal".
        noise_scale: Width (uniform) or scale of that noise.
        similarity_transform: Use similarities instead of affine maps.
        caps_dropout_rate: Probability, in [0, 1), that training drops a capsule from an example.
        eval_noise: Add noise whenever there is a seed, not only in training.
    """

    def __init__(
        self,
        n_caps: int,
        n_votes: int,
        n_caps_params: int | None = None,
        n_hiddens: int | Sequence[int] = 128,
        learn_vote_scale: bool = False,
        deformations: bool = True,
        noise_type: str = "none",
        noise_scale: float = 0.0,
        similarity_transform: bool = True,
        caps_dropout_rate: float = 0.0,
        eval_noise: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not 0.0 <= caps_dropout_rate < 1.0:
            raise UserError(f"capsule layer: caps_dropout_rate {caps_dropout_rate} is not in [0, 1)")
        self.n_caps = n_caps
        self.n_votes = n_votes
        self.n_caps_params = n_caps_params
        self.n_hiddens = [n_hiddens] if isinstance(n_hiddens, int) else list(n_hiddens)
        self.learn_vote_scale = learn_vote_scale
        self.deformations = deformations
        self.noise_type = check_noise_type(noise_type)
        self.noise_scale = noise_scale
        self.similarity_transform = similarity_transform
        self.caps_dropout_rate = caps_dropout_rate
        self.eval_noise = eval_noise

        self._outputs = [n_votes * 6, 6, 1, n_votes, n_votes]
        self.params_mlp = None
        if n_caps_params is not None:
            self.params_mlp = BatchedMLP([*self.n_hiddens, n_caps_params], name="params_mlp")
        # no bias in the last layer: the constants are separate from what depends on the input
        self.votes_mlp = BatchedMLP([*self.n_hiddens, sum(self._outputs)], use_bias=False, name="votes_mlp")

    def build(self, input_shape):
        """Creates the weights; `input_shape` is [B, O, d]."""
        n_params = input_shape[-1]
        if self.params_mlp is not None:
            self.params_mlp.build(input_shape)
            n_params = self.n_caps_params
        self.votes_mlp.build((None, self.n_caps, n_params + 1))
        caps, votes = self.n_caps, self.n_votes
        self.object_viewer_bias = self.add_weight(
            name="object_viewer_bias", shape=(caps, 1, 6), initializer="zeros"
        )
        self.caps_presence_bias = self.add_weight(
            name="caps_presence_bias", shape=(caps, 1), initializer="zeros"
        )
        self.vote_presence_bias = self.add_weight(
            name="vote_presence_bias", shape=(caps, votes), initializer="zeros"
        )
        self.scale_bias = self.add_weight(name="scale_bias", shape=(caps, votes), initializer="zeros")
        self.static_relations = self.add_weight(
            name="static_relations", shape=(1, caps, votes, 6), initializer="glorot_uniform"
        )

    def call(
        self,
        features: tf.Tensor,
        parent_transform: tf.Tensor | None = None,
        parent_presence: tf.Tensor | None = None,
        training: bool = False,
        seed: Seed | int | None = None,
        as_matrix: bool = True,
    ) -> ObjectCapsules:
        """Casts votes.

        SCAE, section 2.1, parts predicted from an object's features:
            OP_k,1:N, a_k,1:N, lambda_k,1:N = h_k^part(c_k).
        SCAE, section 2.1, vote, an object's prediction of a part's pose: V_kn = OV_k OP_kn.

        Args:
            features: [B, O, d], one encoding per capsule.
            parent_transform: [B, O, 1, 3, 3], object-to-viewer maps given by capsules above; None: predicted.
            parent_presence: [B, O, 1], in [0, 1], presences given by capsules above; None: predicted.
            training: Add noise and drop capsules, if there is a seed.
            seed: Seed of noise and dropout.
            as_matrix: Return votes as matrices; otherwise, as their first two rows, if parents are predicted.
        """
        seed = Seed.of(seed)
        n_caps, n_votes = self.n_caps, self.n_votes
        params = features if self.params_mlp is None else self.params_mlp(features)  # [B, O, n_caps_params]

        exists = tf.ones_like(params[..., :1])  # [B, O, 1]
        dropping = self.caps_dropout_rate > 0.0 and training and seed is not None
        if dropping:
            u = seed.fold(2).uniform([tf.shape(params)[0], n_caps, 1])  # [B, O, 1]
            exists = tf.cast(u >= self.caps_dropout_rate, params.dtype)  # [B, O, 1]

        outputs = self.votes_mlp(tf.concat([params, exists], -1))  # [B, O, sum of the splits]
        relations, object_viewer, per_caps, per_vote, scale = tf.split(outputs, self._outputs, -1)
        relations = tf.reshape(relations, [-1, n_caps, n_votes, 6])  # [B, O, V, 6]
        if not self.deformations:
            relations = tf.zeros_like(relations)
        per_caps += self.caps_presence_bias  # [B, O, 1]
        per_vote += self.vote_presence_bias  # [B, O, V]
        if dropping:
            per_caps += safe_log(exists)
        if seed is not None and (training or self.eval_noise):
            per_caps += presence_noise(self.noise_type, self.noise_scale, per_caps, seed.fold(0))
            per_vote += presence_noise(self.noise_type, self.noise_scale, per_vote, seed.fold(1))

        part_object = self._transform(relations + self.static_relations)  # [B, O, V, 6]
        if parent_transform is None:
            object_viewer = tf.expand_dims(object_viewer, 2) + self.object_viewer_bias  # [B, O, 1, 6]
            vote = _compose(self._transform(object_viewer), part_object)  # [B, O, V, 6]
            vote = _as_matrix(vote) if as_matrix else vote  # [B, O, V, 3, 3] or [B, O, V, 6]
        else:  # given maps need not be affine
            vote = tf.matmul(parent_transform, _as_matrix(part_object))  # [B, O, V, 3, 3]

        presence = tf.sigmoid(per_caps) if parent_presence is None else parent_presence  # [B, O, 1]
        if self.learn_vote_scale:
            scale = tf.nn.softplus(scale + self.scale_bias + 0.5) + 1e-2  # [B, O, V]
        else:
            scale = tf.ones_like(scale)  # [B, O, V]
        return ObjectCapsules(
            vote=vote,
            scale=scale,
            vote_presence_prob=presence * tf.sigmoid(per_vote),
            pres_logit_per_caps=per_caps,
            pres_logit_per_vote=per_vote,
            raw_caps_params=params,
            dynamic_weights_l2=0.5 * tf.reduce_sum(tf.square(relations), [1, 2, 3]),
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "n_caps": self.n_caps,
            "n_votes": self.n_votes,
            "n_caps_params": self.n_caps_params,
            "n_hiddens": self.n_hiddens,
            "learn_vote_scale": self.learn_vote_scale,
            "deformations": self.deformations,
            "noise_type": self.noise_type,
            "noise_scale": self.noise_scale,
            "similarity_transform": self.similarity_transform,
            "caps_dropout_rate": self.caps_dropout_rate,
            "eval_noise": self.eval_noise,
        }

    def _transform(self, pose):
        return geometric_transform(pose, self.similarity_transform)  # [..., 6]


def _compose(outer: tf.Tensor, inner: tf.Tensor) -> tf.Tensor:
    """Product of affine maps given by their first two rows: [..., 6] times [..., 6].

    Written out, because a few scalar products are far cheaper than thousands of 3x3 matrix products.
    """
    a00, a01, a02, a10, a11, a12 = tf.unstack(outer, axis=-1)  # [...] each
    b00, b01, b02, b10, b11, b12 = tf.unstack(inner, axis=-1)  # [...] each
    row_x = (a00 * b00 + a01 * b10, a00 * b01 + a01 * b11, a00 * b02 + a01 * b12 + a02)
    row_y = (a10 * b00 + a11 * b10, a10 * b01 + a11 * b11, a10 * b02 + a11 * b12 + a12)
    return tf.stack(row_x + row_y, axis=-1)  # [..., 6]


def _as_matrix(pose: tf.Tensor) -> tf.Tensor:
    """Appends the row (0, 0, 1): [B, O, V, 6] -> [B, O, V, 3, 3]."""
    last = tf.zeros_like(pose[..., :3]) + tf.constant([0.0, 0.0, 1.0])  # [B, O, V, 3]
    matrix = tf.concat([pose, last], -1)  # [B, O, V, 9]
    return tf.reshape(matrix, [-1, *pose.shape[1:3], 3, 3])
