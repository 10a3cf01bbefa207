"""A gradient that is formed once, where two losses need it at different times."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def with_early_gradient(
    values: tf.Tensor,
    slots: tf.Tensor,
    d_slots: tf.Tensor,
    weights: Sequence[tf.Tensor],
    d_weights: Sequence[tf.Tensor],
) -> tf.Tensor:
    """Gives per-image values gradients that are known already, up to what a loss makes of the values.

    Refinement asks for the gradient of a stage's likelihood in the slots before the training loss, which
    weighs the same likelihood, is known. Both are one backward pass through the decoder times a factor. A
    second such pass is saved, and the decoder's activations need not outlive their stage.

    Args:
        values: [B], one per image.
        slots: [B, ...], whose row b only value b depends on.
        d_slots: [B, ...], gradient of the sum of the values in the slots.
        weights: tensors that all values depend on.
        d_weights: gradients of the sum of the values in the weights.

    Returns:
        The values. Their gradient in the slots is exact; that in the weights is exact for a loss that weighs
        all images alike, as a mean over the batch does, and takes the mean of the factors of others.
    """
    shape = [-1] + [1] * (slots.shape.rank - 1)

    @tf.custom_gradient
    def carry(values, slots, *weights):
        def gradient(upstream):  # [B]
            factor = tf.reduce_mean(upstream)  # []
            return (
                tf.zeros_like(values),
                tf.reshape(upstream, shape) * d_slots,
                *(factor * d for d in d_weights),
            )

        return tf.identity(values), gradient

    return carry(tf.stop_gradient(values), slots, *weights)
