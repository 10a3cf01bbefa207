"""The outputs of the image autoencoder."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from stacked_capsules.object_capsules import ObjectCapsules
from stacked_capsules.part_capsules import PartCapsules
from stacked_capsules.vote_likelihood import VoteExplanation


class Reconstruction(NamedTuple):
    """An image made of P templates and the background.

    Attributes:
        mode: [B, H, W, C], value of the likeliest component of each pixel.
        mean: [B, H, W, C], mean of the mixture of each pixel.
        log_likelihood: [B], log-density of what the model reconstructs (the image, or its edges).
        log_prob: [B, H, W, C], each pixel's contribution to it; without gradient, which only the sum has.
        transformed_templates: [B, P, H, W, C], each template moved to its pose.
        mixing_prob: [B, P + 1, H, W, C or 1], probability of each component, the background's last.
    """

    mode: tf.Tensor
    mean: tf.Tensor
    log_likelihood: tf.Tensor
    log_prob: tf.Tensor
    transformed_templates: tf.Tensor
    mixing_prob: tf.Tensor


class ImageAutoencoderOutputs(NamedTuple):
    """What the model infers from images: P parts, O objects.

    Attributes:
        parts: The inferred parts.
        templates: [B, P, h, w, C], what each part looks like.
        caps_encoding: [B, O, d], the object encoder's output.
        objects: The object capsules' votes, `vote` as [B, O, P, 6].
        votes: How the votes explain the parts.
        caps_presence_prob: [B, O], in [0, 1], prior presence of each object.
        mass_explained_by_capsule: [B, O], in [0, P], posterior probabilities of its votes, summed over parts.
        prior_class_logits: [B, n_classes], of the probe on prior presences.
        posterior_class_logits: [B, n_classes], of the probe on the mass explained.
        reconstruction: The one that the loss compares with the image.
        top_down: The reconstruction with parts at the poses of the winning votes; no loss uses it.
    """

    parts: PartCapsules
    templates: tf.Tensor
    caps_encoding: tf.Tensor
    objects: ObjectCapsules
    votes: VoteExplanation
    caps_presence_prob: tf.Tensor
    mass_explained_by_capsule: tf.Tensor
    prior_class_logits: tf.Tensor
    posterior_class_logits: tf.Tensor
    reconstruction: Reconstruction
    top_down: Reconstruction


class ImageEncoding(NamedTuple):
    """The contents of images: P parts, O objects.

    Attributes:
        part_pose: [B, P, 6], rows (m00, m01, tx, m10, m11, ty) of the map from template to image.
        part_presence: [B, P], in (0, 1).
        prior_presence: [B, O], in [0, 1], of the objects, as their capsules predict it.
        posterior_presence: [B, O], in [0, P], how many parts each object explains.
    """

    part_pose: tf.Tensor
    part_presence: tf.Tensor
    prior_presence: tf.Tensor
    posterior_presence: tf.Tensor


class ImageSegmentation(NamedTuple):
    """What is visible at each pixel.

    Attributes:
        part: int32 [B, H, W], the part, from 0; -1 for the background.
        object: int32 [B, H, W], the object that explains that part best, from 0; -1 for the background.
    """

    part: tf.Tensor
    object: tf.Tensor


class Prediction(NamedTuple):
    """What Keras' `predict` returns: the outputs whose size does not grow with pixels times parts.

    Attributes:
        part_pose: [B, P, 6].
        part_presence: [B, P], in (0, 1).
        prior_presence: [B, O], in [0, 1].
        posterior_presence: [B, O], in [0, P].
        is_from_capsule: int32 [B, P], the object that explains each part best.
        prior_class_logits: [B, n_classes].
        posterior_class_logits: [B, n_classes].
        reconstruction: [B, H, W, C], the mode.
    """

    part_pose: tf.Tensor
    part_presence: tf.Tensor
    prior_presence: tf.Tensor
    posterior_presence: tf.Tensor
    is_from_capsule: tf.Tensor
    prior_class_logits: tf.Tensor
    posterior_class_logits: tf.Tensor
    reconstruction: tf.Tensor
