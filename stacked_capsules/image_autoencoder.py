"""The stacked capsule autoencoder: parts explain images, objects explain parts (SCAE, sections 2.2, 2.3)."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import keras
import tensorflow as tf

from discovery import Batch, Seed, TrainableModel
from discovery.checked_arrays import checked_images, checked_labels
from stacked_capsules.classification_probe import ClassificationProbe
from stacked_capsules.configuration import SCAEConfig
from stacked_capsules.image_capsule import ImageCapsule
from stacked_capsules.image_inference import ImageInference
from stacked_capsules.image_losses import ImageLosses
from stacked_capsules.image_outputs import ImageAutoencoderOutputs, Prediction, Reconstruction
from stacked_capsules.object_capsules import CapsuleLayer
from stacked_capsules.older_keras_files import image_options
from stacked_capsules.part_capsules import PartCapsuleEncoder
from stacked_capsules.set_transformer import SetTransformer
from stacked_capsules.template_decoder import TemplateDecoder
from stacked_capsules.vote_likelihood import VoteLikelihood


@keras.saving.register_keras_serializable(package="stacked_capsules")
class ImageAutoencoder(ImageInference, ImageLosses, TrainableModel):
    """Infers parts from an image and objects from parts; parts reconstruct the image, objects the parts.

    Args:
        config: The options.

    Raises:
        UserError: An option is unknown.
    """

    def __init__(self, config: SCAEConfig, name: str = "image_autoencoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.config = config
        self.part_encoder = PartCapsuleEncoder(
            n_caps=config.n_part_caps,
            n_caps_dims=config.n_part_caps_dims,
            n_features=config.n_part_special_features,
            encoder_type=config.encoder_type,
            strides=[int(stride) for stride in config.cnn_strides],
            eval_noise=config.eval_noise,
            precision=config.precision,
            name="part_encoder",
        )
        self.part_decoder = TemplateDecoder(
            output_size=(config.canvas_size, config.canvas_size),
            template_size=(config.template_size, config.template_size),
            n_templates=config.n_part_caps,
            n_channels=config.n_channels,
            n_features=config.n_part_special_features,
            learn_output_scale=config.learn_output_scale,
            colorize_templates=config.colorize_templates,
            use_alpha_channel=config.use_alpha_channel,
            template_nonlin=config.template_nonlin,
            color_nonlin=config.color_nonlin,
            template_seed=config.seed,
            whole_batch=_in_whole_batches(config.pixel_likelihood),
            name="part_decoder",
        )
        self.object_encoder = SetTransformer(
            n_layers=3,
            n_heads=1,
            n_dims=16,
            n_output_dims=256,
            n_outputs=config.n_obj_caps,
            layer_norm=True,
            presence_mask=config.presence_mask,
            name="object_encoder",
        )
        capsules = CapsuleLayer(
            n_caps=config.n_obj_caps,
            n_votes=config.n_part_caps,
            n_caps_params=config.n_obj_caps_params,
            learn_vote_scale=True,
            noise_type="uniform",
            noise_scale=config.presence_noise,
            similarity_transform=False,
            caps_dropout_rate=config.caps_dropout_rate,
            eval_noise=config.eval_noise,
            name="capsules",
        )
        self.object_decoder = ImageCapsule(capsules, VoteLikelihood(name="likelihood"), name="object_decoder")
        self.prior_probe = ClassificationProbe(config.n_classes, name="prior_probe")
        self.posterior_probe = ClassificationProbe(config.n_classes, name="posterior_probe")

    def build(self, input_shape=None):
        """Creates all weights; the decoder has the size of images."""
        del input_shape
        images = (None, *self.image_shape)
        n_parts = self.part_encoder.n_caps
        n_features = self.part_encoder.n_features
        self.part_encoder.build(images)
        self.part_decoder.build((None, n_parts, n_features))
        n_dims = 6 + 1 + n_features
        if self.config.feed_templates:
            n_dims += math.prod(self.part_decoder.template_size) * self.part_decoder.n_channels
        self.object_encoder.build((None, n_parts, n_dims))
        self.object_decoder.build((None, self.object_encoder.n_outputs, self.object_encoder.n_output_dims))
        for probe in (self.prior_probe, self.posterior_probe):
            probe.build((None, self.object_decoder.n_caps))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return (*self.part_decoder.output_size, self.part_decoder.n_channels)

    def call(
        self, images: tf.Tensor, training: bool = False, seed: Seed | int | None = None
    ) -> ImageAutoencoderOutputs:
        """Explains images.

        Args:
            images: [B, H, W, C], floats in [0, 1], or uint8.
            training: Add noise, if there is a seed.
            seed: Seed of noise and dropout.

        Raises:
            UserError: images are something else.
        """
        inferred, templates = self._infer(images, training, Seed.of(seed))
        parts, votes = inferred["parts"], inferred["votes"]
        target = self._target(images)
        pose, presence = self._to_draw(inferred)
        return ImageAutoencoderOutputs(
            **inferred,
            **self._probe(inferred),
            reconstruction=self._reconstruct(pose, presence, templates, target, training),
            top_down=self._reconstruct(votes.winner, parts.presence, templates, target),
        )

    def object_presences(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the objects' prior presences, in [0, 1], and posterior presences, in [0, P], [B, O] each.

        SCAE, section 2.4, posterior presence of an object:
            a_km^posterior proportional to a_k a_km N(x_m | V_km, lambda_km), summed over m.
        """
        inferred, _ = self._infer(self.checked_inputs(images), False, None)
        return inferred["caps_presence_prob"], inferred["mass_explained_by_capsule"]

    def per_capsule_reconstruction(self, outputs: ImageAutoencoderOutputs) -> tf.Tensor:
        """Reconstructs images from each object capsule alone: [B, O, H, W, C].

        The presence of a part is its own times that of the capsule's vote for it. This is for plots: it
        decodes one image per example and capsule.
        """
        votes = tf.transpose(outputs.objects.vote, [1, 0, 2, 3])  # [O, B, P, 6]
        presence = outputs.objects.vote_presence_prob * outputs.parts.presence[:, tf.newaxis]  # [B, O, P]

        def one_capsule(pose_and_presence):
            decoded = self.part_decoder(*pose_and_presence, outputs.templates)
            return decoded.mixture.mode()  # [B, H, W, C]

        images = tf.map_fn(
            one_capsule,
            (votes, tf.transpose(presence, [1, 0, 2])),
            fn_output_signature=tf.TensorSpec([None, *self.image_shape], votes.dtype),
            parallel_iterations=1,
        )  # [O, B, H, W, C]
        return tf.transpose(images, [1, 0, 2, 3, 4])

    def inputs_of(self, batch: Batch | Any) -> Any:
        """Extracts the images from a batch."""
        return batch["image"] if isinstance(batch, dict) else batch

    def batch_of(self, inputs: Any, labels: tf.Tensor | None) -> Batch:
        """Makes a batch of images and, if there are any, labels."""
        return {"image": inputs} if labels is None else {"image": inputs, "label": labels}

    def checked_inputs(self, inputs: Any) -> tf.Tensor:
        """Turns images into floats [B, H, W, C] in [0, 1]."""
        return checked_images(inputs, self.image_shape, self.compute_dtype)

    def checked_batch(self, batch: Batch) -> Batch:
        """Turns images as above, and labels into int64 [B]."""
        checked = {**batch, "image": self.checked_inputs(batch["image"])}
        if "label" in batch:
            checked["label"] = checked_labels(batch["label"], self.config.n_classes)
        return checked

    def predict_step(self, data: Any) -> Prediction:
        """Runs one batch of Keras' `predict`, which keeps the returned arrays for the whole data set."""
        outputs = super().predict_step(data)
        return Prediction(
            part_pose=outputs.parts.pose,
            part_presence=outputs.parts.presence,
            prior_presence=outputs.caps_presence_prob,
            posterior_presence=outputs.mass_explained_by_capsule,
            is_from_capsule=outputs.votes.is_from_capsule,
            prior_class_logits=outputs.prior_class_logits,
            posterior_class_logits=outputs.posterior_class_logits,
            reconstruction=outputs.reconstruction.mode,
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "config": asdict(self.config)}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the model, also from older files, which name its layers one by one."""
        if "config" in config:
            return cls(**{**config, "config": SCAEConfig(**config["config"])})
        return cls(image_options(config), name=config["name"])

    def _infer(self, images, training, seed):
        """Returns the outputs that need no rendering, and the templates in the decoder's form."""
        of_parts, *of_objects = self._seeds(seed)
        parts, templates, tiled = self._infer_parts(images, training, of_parts)
        return self._infer_objects(parts, tiled, training, *of_objects), templates

    def _seeds(self, seed):
        """Returns the seeds of the parts' noise, the objects' noise and the object encoder's dropout."""
        return [None if seed is None else seed.fold(i) for i in range(3)]

    def _infer_parts(self, images, training, seed):
        """Returns parts, the templates as the decoder takes them, and the templates of each example."""
        parts = self.part_encoder(images, training=training, seed=seed)
        templates = self.part_decoder.make_templates(parts.feature)  # [B or 1, P, h, w, C]
        tiled = templates + tf.zeros_like(parts.presence)[..., tf.newaxis, tf.newaxis, tf.newaxis]  # [B, ...]
        return parts, templates, tiled

    def _infer_objects(self, parts, tiled, training, of_objects, of_encoder):
        """Returns the outputs that need no rendering, by name."""
        to_encoder = tf.stop_gradient if self.config.stop_grad_caps_inpt else tf.identity
        to_likelihood = tf.stop_gradient if self.config.stop_grad_caps_target else tf.identity
        inputs = [to_encoder(parts.pose), to_encoder(1.0 - parts.presence[..., tf.newaxis])]
        if parts.feature is not None:
            inputs.append(scale_gradient(parts.feature, self.config.special_features_gradient))
        if self.config.feed_templates:
            flat = tf.reshape(tiled, [-1, tiled.shape[1], math.prod(tiled.shape[2:])])  # [B, P, h * w * C]
            inputs.append(to_encoder(flat))
        encoding = self.object_encoder(
            tf.concat(inputs, -1), to_encoder(parts.presence), training=training, seed=of_encoder
        )  # [B, O, d]
        pose, presence = to_likelihood(parts.pose), to_likelihood(parts.presence)
        explained = self.object_decoder(encoding, pose, presence, training=training, seed=of_objects)
        return {
            "parts": parts,
            "templates": tiled,
            "caps_encoding": encoding,
            **explained._asdict(),
            "mass_explained_by_capsule": tf.reduce_sum(explained.votes.posterior_mixing_probs, 1),
        }

    def _probe(self, inferred):
        """Returns the logits of the probes by name, each [B, n_classes]."""
        return {
            "prior_class_logits": self.prior_probe(inferred["caps_presence_prob"]),
            "posterior_class_logits": self.posterior_probe(inferred["mass_explained_by_capsule"]),
        }

    def _to_draw(self, inferred):
        """Returns the poses [B, P, 6] and presences [B, P] that the reconstruction is rendered from."""
        parts, votes = inferred["parts"], inferred["votes"]
        pose = {"enc": parts.pose, "soft": votes.soft_winner, "hard": votes.winner}
        presence = {"enc": parts.presence, "soft": votes.soft_winner_pres, "hard": votes.winner_pres}
        return pose[self.config.vote_type], presence[self.config.pres_type]

    def _reconstruct(self, pose, presence, templates, target, early_gradient=False):
        # Decodes twice on purpose: losses read only the second, so graphs prune the first, which is large.
        decoded = self.part_decoder(pose, presence, templates)
        mixture = decoded.mixture
        explanation = self.part_decoder.explain(
            pose, presence, templates, target, early_gradient=early_gradient
        )
        return Reconstruction(
            **explanation._asdict(),
            mean=mixture.mean(),
            transformed_templates=decoded.transformed_templates,
            mixing_prob=mixture.mixing_prob,
        )


def scale_gradient(x: tf.Tensor, factor: float) -> tf.Tensor:
    """Returns x; multiplies the gradient that flows back through it by `factor`."""
    if factor == 1.0:
        return x
    constant = tf.stop_gradient(x)
    return constant + factor * (x - constant)  # exactly x


def _in_whole_batches(pixel_likelihood):
    if pixel_likelihood == "auto":
        return bool(tf.config.list_physical_devices("GPU"))
    return pixel_likelihood == "whole"
