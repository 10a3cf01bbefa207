"""Few object capsules active in each example, different ones in different examples (SCAE, section 2.4)."""

from __future__ import annotations

import tensorflow as tf

from discovery import UserError
from stacked_capsules.configuration import SPARSITY_TYPES
from stacked_capsules.safe_math import normalize, safe_log


def within_example(kind: str, presence: tf.Tensor, n_classes: float, constant: float = 0.0) -> tf.Tensor:
    """How far each example is from having few active capsules; to be minimized, as a mean over the batch.

    SCAE, section 2.4, sparsity within an example, prior (l2): L_prior has mean_b (sum_k a_bk - K / C)^2.
    SCAE, section 2.4, sparsity within an example, posterior (entropy):
        L_posterior has mean_b H(a_b,1:K / sum_k a_bk).

    Args:
        kind: "entropy" or "kl" (to the uniform distribution, negated) of each capsule's share of the example,
            or "l2": squared distance of the summed presences from `constant`.
        presence: [B, O], non-negative.
        n_classes: Assumed number of classes in the data ("l2" only).
        constant: How many capsules should be active ("l2" only); 0: O / n_classes.

    Returns:
        [B].
    """
    n_caps = presence.shape[-1]
    if kind == "l2":
        return tf.square(tf.reduce_sum(presence, -1) - (constant or n_caps / n_classes))
    return scaled_entropy(presence, n_caps if check_sparsity_type(kind) == "kl" else 1.0)


def between_examples(
    kind: str, presence_sum: tf.Tensor, batch_size: tf.Tensor, n_classes: float
) -> tf.Tensor:
    """How evenly the examples spread over the capsules; to be maximized.

    SCAE, section 2.4, sparsity between examples, prior (l2): L_prior has mean_k (sum_b a_bk - B / C)^2.
    SCAE, section 2.4, sparsity between examples, posterior (entropy):
        L_posterior has -H(sum_b a_b,1:K / sum_bk a_bk).

    Args:
        kind: As for `within_example`; "l2" is minus the mean squared distance of the capsules' sums from
            batch_size / n_classes.
        presence_sum: [O], the capsules' presences summed over the global batch.
        batch_size: float32 [], size of the global batch.
        n_classes: Assumed number of classes in the data ("l2" only).

    Returns:
        [].
    """
    if kind == "l2":
        return -tf.reduce_mean(tf.square(presence_sum - batch_size / n_classes))
    n_caps = presence_sum.shape[-1]
    return scaled_entropy(presence_sum, n_caps if check_sparsity_type(kind) == "kl" else 1.0)


def scaled_entropy(weights: tf.Tensor, k: float) -> tf.Tensor:
    """Entropy of normalized weights, minus log k: [..., O] -> [...]; with k = O the negated KL to uniform."""
    share = normalize(weights, -1)  # [..., O]
    return -tf.reduce_sum(share * safe_log(k * share), -1)


def check_sparsity_type(kind: str) -> str:
    """Returns `kind`, if there is such a sparsity loss.

    Raises:
        UserError: There is none.
    """
    if kind not in SPARSITY_TYPES:
        raise UserError(f"sparsity loss: {kind!r} is not known, use one of {', '.join(SPARSITY_TYPES)}")
    return kind
