"""Diagonal Gaussians over slots: the posteriors and priors of the hierarchy."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class DiagonalGaussian(NamedTuple):
    """A Gaussian per slot.

    Attributes:
        mean: float32 [..., z].
        std: float32 [..., z], at least sqrt(1e-5) if it comes from network outputs.
    """

    mean: tf.Tensor
    std: tf.Tensor

    @classmethod
    def of_parameters(cls, parameters: tf.Tensor) -> DiagonalGaussian:
        """Reads network outputs [..., 2z]: means, then logits that a softplus turns into variances."""
        mean, variance_logit = tf.split(parameters, 2, axis=-1)  # each [..., z]
        return cls(mean, std_of_variance_logit(variance_logit))

    @classmethod
    def standard_like(cls, other: DiagonalGaussian) -> DiagonalGaussian:
        """N(0, 1) of the same shape."""
        return cls(tf.zeros_like(other.mean), tf.ones_like(other.std))

    def sample(self, noise: tf.Tensor) -> tf.Tensor:
        """Turns standard normal `noise` [..., z] into a sample, differentiable in both parameters."""
        return self.mean + self.std * noise  # [..., z]


def std_of_variance_logit(logit: tf.Tensor) -> tf.Tensor:
    """sqrt(log(1 + exp(min(logit, 80))) + 1e-5): the softplus is a variance, not a standard deviation.

    EMORL, Eqs. 10 and 11, variance of a Gaussian: sigma^2 = log(1 + exp(min(o, 80))) + 1e-5.
    """
    # Halves the gradient at exactly 80, as an elementwise minimum of two tensors does in PyTorch.
    excess = logit - 80.0
    capped = logit - 0.5 * (excess + tf.abs(excess))  # [..., z]
    return tf.sqrt(tf.math.softplus(capped) + 1e-5)  # [..., z]


def kl_divergence(q: DiagonalGaussian, p: DiagonalGaussian) -> tf.Tensor:
    """KL(q || p), summed over the last axis: [..., z] -> [...].

    EMORL, section 3.2, KL of diagonal Gaussians:
        KL(q || p) = sum_d (s^2 + (mu_q - mu_p)^2 / sigma_p^2 - 1 - log s^2) / 2, s = sigma_q / sigma_p.
    """
    variance_ratio = tf.square(q.std / p.std)  # [..., z]
    distance = tf.square((q.mean - p.mean) / p.std)  # [..., z]
    return 0.5 * tf.reduce_sum(variance_ratio + distance - 1.0 - tf.math.log(variance_ratio), -1)
