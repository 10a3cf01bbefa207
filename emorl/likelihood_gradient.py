"""A gradient that is computed once, although two losses need it at different times."""

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
    """Attaches known gradients to per-image values, up to the factor that a loss puts on them.

    Refinement needs the gradient of a stage's likelihood with respect to the slots before the training loss,
    which weights the same likelihood, is known. Both are one backward pass through the decoder times a
    factor. This saves a second such pass, and the decoder's activations need not outlive their stage.

    Args:
        values: [B], one per image.
        slots: [B, ...]; only value b depends on row b.
        d_slots: [B, ...], gradient of the sum of the values with respect to the slots.
        weights: tensors that all values depend on.
        d_weights: gradients of the sum of the values with respect to the weights.

    Returns:
        The values. Their gradient with respect to the slots is exact; that with respect to the weights is
        exact for a loss that weights all images equally, like a mean over the batch; otherwise, it uses the
        mean factor.
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
