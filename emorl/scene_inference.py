"""What users call on a model of scenes: slots and masks, segmentations, reconstructions."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import tensorflow as tf

from discovery import Batch
from discovery.checked_arrays import checked_images, checked_slots
from emorl.image_decoders import Decoding


class SceneEncoding(NamedTuple):
    """The contents of images: K slots.

    Attributes:
        slots: [B, K, z].
        masks: [B, K, H, W], probability that a pixel belongs to the slot; they sum to one over slots.
    """

    slots: tf.Tensor
    masks: tf.Tensor


class SceneInference:
    """Inference methods for models whose outputs have `slots` and their `decoding`.

    Posteriors are sampled, with the same noise for every image and in every call (the model's
    `inference_seed`).
    """

    def encode(self, images: Any) -> SceneEncoding:
        """Infers slots, and which pixels belong to them.

        Args:
            images: array or tensor [B, H, W, 3] of floats in [0, 1], or of uint8.

        Raises:
            UserError: the images are not as described.
        """
        outputs = self(images)
        return SceneEncoding(outputs.slots, tf.exp(outputs.decoding.mask_log_probs[..., 0]))

    def segment(self, images: Any) -> tf.Tensor:
        """Returns the slot that each pixel belongs to: int32 [B, H, W], its index.

        Args:
            images: array or tensor [B, H, W, 3] of floats in [0, 1], or of uint8.

        Raises:
            UserError: the images are not as described.
        """
        masks = self(images).decoding.mask_log_probs[..., 0]  # [B, K, H, W]
        return tf.argmax(masks, 1, output_type=tf.int32)

    def reconstruct(self, images: Any) -> tf.Tensor:
        """Renders the slots found in images, mixed by their masks: [B, H, W, 3].

        Args:
            images: array or tensor [B, H, W, 3] of floats in [0, 1], or of uint8.

        Raises:
            UserError: the images are not as described.
        """
        return self(images).decoding.reconstruction

    def decode(self, slots: Any) -> Decoding:
        """Decodes slots [B, K, z]: samples, means, points of a traversal.

        Raises:
            UserError: they have another shape.
        """
        return self.decoder(checked_slots(slots, self.config.z_size, self.compute_dtype))

    def get_config(self) -> dict[str, Any]:
        """Returns all arguments of the constructor."""
        own = {"init_seed": self.init_seed, "inference_seed": self.inference_seed}
        return {**super().get_config(), **own, "options": dataclasses.asdict(self.config)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> SceneInference:
        """Builds the model that `get_config` describes."""
        config = dict(config)
        return cls(cls.config_class(**config.pop("options")), **config)

    def inputs_of(self, batch: Batch | Any) -> Any:
        """Picks the images out of a batch."""
        return batch["image"] if isinstance(batch, dict) else batch

    def batch_of(self, inputs: Any, labels: Any) -> Batch:
        """Makes a batch of images; labels are not read."""
        del labels
        return {"image": inputs}

    def checked_inputs(self, inputs: Any) -> tf.Tensor:
        """Turns images into floats [B, H, W, 3] in [0, 1]."""
        return checked_images(inputs, (self.config.size, self.config.size, 3), self.compute_dtype)

    def checked_batch(self, batch: Batch) -> Batch:
        """Turns images as above; nothing else in a batch is read."""
        return {**batch, "image": self.checked_inputs(batch["image"])}
