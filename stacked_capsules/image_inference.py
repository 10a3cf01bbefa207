"""What users call on an image model: parts and objects of images, segmentations, reconstructions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from stacked_capsules.image_outputs import ImageEncoding, ImageSegmentation


class ImageInference:
    """Inference methods, without noise, built on the model's `_infer`."""

    def encode(self, images: Any) -> ImageEncoding:
        """Infers parts and objects, without noise.

        Args:
            images: array or tensor [B, H, W, C] of floats in [0, 1], or of uint8.

        Raises:
            UserError: the images are not as described.
        """
        inferred, _ = self._infer(self.checked_inputs(images), False, None)
        return ImageEncoding(
            part_pose=inferred["parts"].pose,
            part_presence=inferred["parts"].presence,
            prior_presence=inferred["caps_presence_prob"],
            posterior_presence=inferred["mass_explained_by_capsule"],
        )

    def segment(self, images: Any) -> ImageSegmentation:
        """Returns which part is visible at each pixel, and which object explains it.

        Args:
            images: array or tensor [B, H, W, C] of floats in [0, 1], or of uint8.

        Raises:
            UserError: the images are not as described.
        """
        inferred, mixture = self._drawn(images)
        n_parts = self.part_encoder.n_caps
        probability = tf.reduce_mean(mixture.mixing_prob, -1)  # [B, P + 1, H, W], the background's last
        part = tf.argmax(probability, 1, output_type=tf.int32)  # [B, H, W]
        part = tf.where(part == n_parts, -1, part)
        of_part = tf.pad(
            inferred["votes"].is_from_capsule, [[0, 0], [1, 0]], constant_values=-1
        )  # [B, 1 + P]
        return ImageSegmentation(part, tf.gather(of_part, part + 1, batch_dims=1))

    def reconstruct(self, images: Any) -> tf.Tensor:
        """Renders the parts found in images: [B, H, W, C], the value of the likeliest template at each pixel.

        Args:
            images: array or tensor [B, H, W, C] of floats in [0, 1], or of uint8.

        Raises:
            UserError: the images are not as described.
        """
        return self._drawn(images)[1].mode()

    def _drawn(self, images):
        """Returns the outputs for which nothing is drawn, and the mixture that makes the images."""
        inferred, templates = self._infer(self.checked_inputs(images), False, None)
        return inferred, self.part_decoder(*self._to_draw(inferred), templates).mixture
