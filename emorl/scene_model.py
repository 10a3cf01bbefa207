"""What all models of scenes have: inference for users, checks of images, Keras' serialization."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import tensorflow as tf

from discovery import Batch, TrainableModel
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


class SceneModel(TrainableModel):
    """Base of the models; their outputs have `slots` and their `decoding`, and `decoder` decodes slots.

    Inference samples posteriors, with the same noise for every image and in every call (`inference_seed`).

    Args:
        config: the options, of `config_class`.
        init_seed: seed of the initial weights.
        inference_seed: seed of the samples at inference if the caller gives none.
        **kwargs: Keras' model arguments.
    """

    config_class: type

    def __init__(self, config: Any, init_seed: int = 0, inference_seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.config, self.init_seed, self.inference_seed = config, init_seed, inference_seed

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
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> SceneModel:
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
