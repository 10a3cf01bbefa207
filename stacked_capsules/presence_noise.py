"""Noise on presence logits, which keeps presences away from one half (SCAE, section 2.4)."""

from __future__ import annotations

import tensorflow as tf

from discovery import Seed, UserError

NOISE_TYPES = ("none", "uniform", "logistic", "normal")


def presence_noise(kind: str, scale: float, like: tf.Tensor, seed: Seed) -> tf.Tensor:
    """Draws noise centered at zero.

    SCAE, section 2.4, noise on presence logits: a_k = sigmoid(logit_k + u), u uniform in [-2, 2].

    Args:
        kind: "uniform" (`scale` wide), "logistic" or "normal" (of scale `scale`), or "none".
        scale: Width or scale of the noise.
        like: [B, ...], the logits to add it to.
        seed: Seed of this draw.

    Returns:
        [B, ...].
    """
    if check_noise_type(kind) == "none":
        return tf.zeros_like(like)
    shape = [tf.shape(like)[0] if like.shape[0] is None else like.shape[0], *like.shape[1:]]
    if kind == "normal":
        return scale * seed.normal(shape)
    u = seed.uniform(shape)  # [B, ...], in [0, 1)
    if kind == "uniform":
        return scale * (u - 0.5)
    u = tf.clip_by_value(u, 2.0**-24, 1.0 - 2.0**-24)
    return scale * (tf.math.log(u) - tf.math.log1p(-u))


def check_noise_type(kind: str) -> str:
    """Returns `kind`, if there is such a kind of noise.

    Raises:
        UserError: There is none.
    """
    if kind not in NOISE_TYPES:
        raise UserError(f"presence noise: type {kind!r} is not known, use one of {', '.join(NOISE_TYPES)}")
    return kind
