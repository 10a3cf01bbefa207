"""A linear classifier of capsule presences that does not influence them."""

from __future__ import annotations

import keras
import tensorflow as tf

from stacked_capsules.dense import dense


@keras.saving.register_keras_serializable(package="stacked_capsules")
class ClassificationProbe(keras.layers.Layer):
    """Linear map from presences to class logits; no gradient flows back to the presences.

    Args:
        n_classes: Number of classes.
    """

    def __init__(self, n_classes: int, **kwargs):
        super().__init__(**kwargs)
        self.n_classes = n_classes
        self.linear = dense(n_classes, "linear")

    def build(self, input_shape):
        """Creates the weights; `input_shape` is [B, O]."""
        self.linear.build(input_shape)

    def call(self, presence: tf.Tensor) -> tf.Tensor:
        """[B, O] -> logits [B, n_classes]."""
        return self.linear(tf.stop_gradient(presence))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "n_classes": self.n_classes}


def probe_scores(
    logits: tf.Tensor, labels: tf.Tensor, labeled: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scores a probe on each example.

    Args:
        logits: [B, n_classes].
        labels: int [B], in [0, n_classes).
        labeled: int [B], 0 for examples whose label must not be used in training; None: all labels may be.

    Returns:
        Cross entropy [B], zero where unlabeled; accuracy [B], 0 or 1, for labeled and unlabeled examples.
    """
    xe = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)  # [B]
    if labeled is not None:
        xe *= tf.cast(labeled, xe.dtype)
    hit = tf.argmax(logits, -1, output_type=labels.dtype) == labels  # [B]
    return xe, tf.cast(hit, logits.dtype)
