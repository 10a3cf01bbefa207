"""How well decoded slots explain an image: negative log-likelihoods per image.

Neither includes the constant log(2 pi) / 2 per value, so both can be negative.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from discovery import UserError

Likelihood = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, float], tf.Tensor]


def gaussian_nll(
    images: tf.Tensor, means: tf.Tensor, mask_log_probs: tf.Tensor, log_scale: float
) -> tf.Tensor:
    """One Gaussian per value, around the slots' means mixed by their masks.

    EMORL, Eq. 12, image likelihood, Gaussian: p(x | z^L) = prod_p N(x_p; sum_k pi_kp y_kp, sigma^2).

    Args:
        images: float32 [B, H, W, C] in [0, 1].
        means: float32 [B, K, H, W, C] in [0, 1].
        mask_log_probs: float32 [B, K, H, W, 1], log of probabilities that sum to 1 over K.
        log_scale: log of the standard deviation.

    Returns:
        float32 [B], summed over pixels and channels.
    """
    mixed = tf.reduce_sum(means * tf.exp(mask_log_probs), axis=1)  # [B, H, W, C]
    return -tf.reduce_sum(_log_density(images, mixed, log_scale), axis=[1, 2, 3])


def mixture_nll(
    images: tf.Tensor, means: tf.Tensor, mask_log_probs: tf.Tensor, log_scale: float
) -> tf.Tensor:
    """A mixture of the slots' Gaussians, separately for each channel; arguments as for `gaussian_nll`.

    EMORL, Eq. 13, image likelihood, mixture of Gaussians:
        p(x | z^L) = prod_p sum_k pi_kp N(x_p; y_kp, sigma^2).
    """
    log_joint = mask_log_probs + _log_density(images[:, None], means, log_scale)  # [B, K, H, W, C]
    return -tf.reduce_sum(tf.reduce_logsumexp(log_joint, axis=1), axis=[1, 2, 3])


def likelihood(name: str) -> Likelihood:
    """Returns the negative log-likelihood of that name: 'Gaussian' or 'GMM'.

    EMORL, Eq. 3, negative log-likelihood, by one sample: L_NLL = -E_q[log p(x | z^L)].

    Raises:
        UserError: for any other name.
    """
    likelihoods = {"Gaussian": gaussian_nll, "GMM": mixture_nll}
    if name not in likelihoods:
        raise UserError(f"image_likelihood must be 'Gaussian' or 'GMM', not {name!r}.")
    return likelihoods[name]


def _log_density(x, mean, log_scale):
    return -log_scale - 0.5 * math.exp(-2.0 * log_scale) * tf.square(x - mean)
