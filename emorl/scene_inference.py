"""What users ask of a model of scenes: slots and masks, segmentations, reconstructions."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from discovery.checked_arrays import checked_images


class SceneEncoding(NamedTuple):
    """What is in images: K slots.

    Attributes:
        slots: [B, K, z].
        masks: [B, K, H, W], probability that a pixel is the slot's; they sum to one over slots.
    """

    slots: tf.Tensor
    masks: tf.Tensor


class SceneInference:
    """The questions, for models whose outputs have `slots` and their `decoding`.

    Posteriors are sampled, with the same noise for every image and every time (the model's `inference_seed`).
    """

    def encode(self, images: Any) -> SceneEncoding:
        """Infers slots, and which pixels are theirs.

        Args:
            images: array or tensor [B, H, W, 3] of floats in [0, 1].

        Raises:
            UserError: they are something else.
        """
        outputs = self._explain(images)
        return SceneEncoding(outputs.slots, tf.exp(outputs.decoding.mask_log_probs[..., 0]))

    def segment(self, images: Any) -> tf.Tensor:
        """Says whose each pixel is: int32 [B, H, W], number of the slot.

        Args:
            images: array or tensor [B, H, W, 3] of floats in [0, 1].

        Raises:
            UserError: they are something else.
        """
        masks = self._explain(images).decoding.mask_log_probs[..., 0]  # [B, K, H, W]
        return tf.argmax(masks, 1, output_type=tf.int32)

    def reconstruct(self, images: Any) -> tf.Tensor:
        """Paints the slots found in images, each where its mask is: [B, H, W, 3].

        Args:
            images: array or tensor [B, H, W, 3] of floats in [0, 1].

        Raises:
            UserError: they are something else.
        """
        decoding = self._explain(images).decoding
        return decoding.reconstruction

    def _explain(self, images):
        size = self.config.size
        return self(checked_images(images, (size, size, 3)))
