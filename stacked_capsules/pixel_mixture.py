"""Likelihood of an image in which one of several templates explains each pixel (SCAE, section 2.2)."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from stacked_capsules.safe_math import safe_log


class PixelMixture(NamedTuple):
    """A mixture of K normal distributions at every pixel, independent of the other pixels.

    Besides B images of H x W pixels, it accepts single pixels: [B, K, C] for B pixels, and so on.

    Attributes:
        mixing_logits: [B, K, H, W, C or 1], unnormalized.
        loc: [B, K, H, W, C], means of the components.
        scale: scalar, or [1 or B, 1, 1, 1, 1], positive: the standard deviation of all components.
        presence: [B, K] in [0, 1] or None. If given, it weights the components' log-density in
            `mode(maximum=True)`; it is up to the logits that absent components mix in less, see
            `with_presence`.
    """

    mixing_logits: tf.Tensor
    loc: tf.Tensor
    scale: tf.Tensor | float = 1.0
    presence: tf.Tensor | None = None

    @property
    def mixing_log_prob(self) -> tf.Tensor:
        """Logarithms of the mixing probabilities, shaped like the logits."""
        return self.mixing_logits - tf.reduce_logsumexp(self.mixing_logits, 1, keepdims=True)

    @property
    def mixing_prob(self) -> tf.Tensor:
        """Mixing probabilities, shaped like the logits; they sum to one over K."""
        return tf.nn.softmax(self.mixing_logits, 1)

    def log_prob(self, x: tf.Tensor) -> tf.Tensor:
        """Log-density of every pixel and channel of x: [B, H, W, C] -> [B, H, W, C].

        SCAE, section 2.2, image likelihood: p(y) = prod_ij sum_m p_mij N(y_ij | c_m T'_mij^c, sigma_y^2).
        """
        z = (x[:, tf.newaxis] - self.loc) / self.scale  # [B, K, H, W, C]
        log_density = self._peak_log_density() - 0.5 * tf.square(z)
        return tf.reduce_logsumexp(log_density + self.mixing_log_prob, 1)

    def mean(self) -> tf.Tensor:
        """Mean image: [B, H, W, C]."""
        return tf.reduce_sum(self.mixing_prob * self.loc, 1)

    def mode(self, maximum: bool = False, straight_through: bool = False) -> tf.Tensor:
        """The mean of the most likely component at each pixel.

        Args:
            maximum: Choose by the density at the peak instead of the mixing probability; since all components
                share one scale, these differ only by `presence`.
            straight_through: Give the choice the gradient of a soft one; otherwise, it has none.

        Returns:
            [B, H, W, C].
        """
        score = self.mixing_log_prob  # [B, K, H, W, C or 1]
        if maximum:
            peak = self._peak_log_density()
            if self.presence is not None:
                peak *= _per_component(self.presence, score)
            score += peak
        mask = tf.one_hot(tf.argmax(score, 1), score.shape[1], axis=1)  # [B, K, H, W, C or 1]
        if straight_through:
            soft = tf.nn.softmax(score, 1)
            mask = tf.stop_gradient(mask - soft) + soft
        return tf.reduce_sum(mask * self.loc, 1)

    def _peak_log_density(self):
        return -tf.math.log(self.scale) - 0.5 * math.log(2.0 * math.pi)


def with_presence(mixing_logits: tf.Tensor, presence: tf.Tensor) -> tf.Tensor:
    """Scales mixing probabilities by presences: logits [B, K, ...], presence [B or 1, K] -> logits.

    SCAE, section 2.2, mixing probability of a part at a pixel: p_mij proportional to d_m exp(T'_mij^a).
    """
    return mixing_logits + _per_component(safe_log(presence), mixing_logits)


def _per_component(values, logits):
    """Reshapes [B or 1, K] to broadcast with logits [B, K, ...]."""
    return tf.reshape(values, [-1, values.shape[1], *[1] * (logits.shape.rank - 2)])
