"""Attention in which the slots compete for each pixel."""

from __future__ import annotations

import tensorflow as tf

EPSILON = 1e-8


def slot_attention(queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Softmax over slots, then a weighted mean over inputs (Slot Attention, algorithm 1).

    EMORL, section 3.1, slot attention:
        alpha = softmax_k(k(x) q(z)^T / sqrt(D)), Theta = mean of v(x) weighted by alpha.

    Args:
        queries: float32 [B, K, z], one per slot, already scaled.
        keys: float32 [B, N, z], one per input.
        values: float32 [B, N, v].

    Returns:
        Updates [B, K, v], and the attention [B, N, K]: the softmax over slots plus 1e-8, before it is
        normalized over inputs.
    """
    logits = tf.einsum("bnd,bkd->bnk", keys, queries)  # [B, N, K]
    attention = tf.nn.softmax(logits, axis=-1) + EPSILON  # [B, N, K]
    weights = attention / tf.reduce_sum(attention, axis=1, keepdims=True)  # [B, N, K]
    return tf.einsum("bnk,bnv->bkv", weights, values), attention
