"""Edge images, which SCAE reconstructs where colors and backgrounds are uninformative (SVHN, CIFAR10)."""

from __future__ import annotations

import tensorflow as tf


def normalized_sobel_edges(
    images: tf.Tensor, subtract_median: bool = True, same_number_of_channels: bool = True
) -> tf.Tensor:
    """Applies the Sobel filter and rescales each channel of each image to [0, 1].

    Args:
        images: [B, H, W, C].
        subtract_median: Take distances from each channel's median, which makes uniform backgrounds black.
        same_number_of_channels: Add the two directions; otherwise, keep both.

    Returns:
        [B, H, W, C] or [B, H, W, 2 C] in [0, 1].
    """
    H, W, C = images.shape[1:]
    edges = tf.image.sobel_edges(tf.convert_to_tensor(images))  # [B, H, W, C, 2]
    edges = tf.reduce_sum(edges, -1) if same_number_of_channels else tf.reshape(edges, [-1, H, W, 2 * C])
    if subtract_median:
        in_order = tf.sort(tf.reshape(edges, [-1, H * W, edges.shape[-1]]), axis=1)  # [B, H * W, C or 2 C]
        median = in_order[:, round((H * W - 1) / 2)]  # [B, C or 2 C]
        edges = tf.abs(edges - median[:, tf.newaxis, tf.newaxis])
    lowest = tf.reduce_min(edges, [1, 2], keepdims=True)  # [B, 1, 1, C or 2 C]
    highest = tf.reduce_max(edges, [1, 2], keepdims=True)
    return (edges - lowest) / (highest - lowest + 1e-8)
