"""Renders parts: learned templates, colored, moved to their poses and mixed (SCAE, section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from discovery import UserError
from stacked_capsules.dense import dense
from stacked_capsules.nonlinearities import nonlinearity
from stacked_capsules.pixel_mixture import PixelMixture, with_presence
from stacked_capsules.resampler import (
    POINTS_AT_ONCE,
    affine_grid,
    canvas_coordinates,
    resample,
    resample_points,
    template_coordinates,
)
from stacked_capsules.scoring_in_blocks import InBlocks

#: Parts times pixels whose samples, and all that is computed from them, fit into the cache together.
_POINTS_AT_A_TIME = 12_800


class DecodedImage(NamedTuple):
    """What P parts look like on the canvas.

    Attributes:
        mixture: the image; its components are the P parts and, last, the background.
        transformed_templates: [B, P, H, W, C], each part alone, zero outside its template.
    """

    mixture: PixelMixture
    transformed_templates: tf.Tensor


class ImageExplanation(NamedTuple):
    """How well parts explain images.

    Attributes:
        log_likelihood: [B], log-density of the target, summed over pixels and channels.
        log_prob: [B, H, W, C], that of each; without gradient, which only the sum has.
        mode: [B, H, W, C], value of the likeliest component at each pixel; without gradient.
    """

    log_likelihood: tf.Tensor
    log_prob: tf.Tensor
    mode: tf.Tensor


@keras.saving.register_keras_serializable(package="stacked_capsules")
class TemplateDecoder(keras.layers.Layer):
    """Renders part capsules: `make_templates` colors the templates, `call` places and mixes them.

    Args:
        output_size: (H, W) of the canvas.
        template_size: (h, w) of the templates.
        n_templates: Number P of templates, one for each part capsule.
        n_channels: Number C of color channels.
        n_features: Number F of special features of each part, from which its color is predicted.
        learn_output_scale: Learn the pixels' standard deviation; otherwise, it is 1.
        colorize_templates: Predict the templates' colors.
        template_nonlin: Name of the nonlinearity that keeps templates in their range.
        color_nonlin: Name of the one for colors.
        use_alpha_channel: Learn where each template is opaque; otherwise, the brighter pixel wins, with a
            learned temperature.
        template_seed: Seed of the templates' initial values.
        whole_batch: `explain` scores all pixels at once, which suits accelerators: their memory is fast, but
            many small operations are slow. Otherwise, it scores blocks that fit into a CPU's cache.
    """

    def __init__(
        self,
        output_size: Sequence[int] = (28, 28),
        template_size: Sequence[int] = (11, 11),
        n_templates: int = 16,
        n_channels: int = 1,
        n_features: int = 16,
        learn_output_scale: bool = False,
        colorize_templates: bool = False,
        template_nonlin: str = "relu1",
        color_nonlin: str = "relu1",
        use_alpha_channel: bool = False,
        template_seed: int = 0,
        whole_batch: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if any(t > o for t, o in zip(template_size, output_size, strict=True)):
            raise UserError(
                f"template_size: templates of {tuple(template_size)} are larger than the canvas of "
                f"{tuple(output_size)}; use smaller ones or a larger canvas_size"
            )
        self.output_size = list(output_size)
        self.template_size = list(template_size)
        self.n_templates = n_templates
        self.n_channels = n_channels
        self.n_features = n_features
        self.learn_output_scale = learn_output_scale
        self.colorize_templates = colorize_templates
        self.template_nonlin = template_nonlin
        self.color_nonlin = color_nonlin
        self.use_alpha_channel = use_alpha_channel
        self.template_seed = template_seed
        self.whole_batch = whole_batch

        self._template_nonlinearity = nonlinearity(template_nonlin, "template_nonlin")
        self._color_nonlinearity = nonlinearity(color_nonlin, "color_nonlin")
        self._explain_in_blocks = InBlocks(
            self._explain_pixels, max(1, _POINTS_AT_A_TIME // n_templates), multiple_of=POINTS_AT_ONCE
        )
        if colorize_templates:
            self.color_hidden = dense(32, "color_hidden", activation="relu")
            self.color_output = dense(n_channels, "color_output")

    def build(self, pose_shape=None, presence_shape=None, templates_shape=None, background_shape=None):
        """Creates the weights; their shapes follow from the constructor's arguments."""
        shape = (1, self.n_templates, *self.template_size)
        self.template_logits = self.add_weight(
            name="templates",
            shape=(*shape, self.n_channels),
            initializer=OrthogonalTemplates(self.template_seed),
        )
        self.bg_value = self.add_weight(name="bg_value", shape=(1,), initializer="glorot_uniform")
        if self.use_alpha_channel:
            self.templates_alpha = self.add_weight(
                name="templates_alpha", shape=(*shape, 1), initializer="zeros"
            )
            self.bg_mixing_logit = self.add_weight(name="bg_mixing_logit", shape=(1,), initializer="zeros")
        else:
            self.temperature_logit = self.add_weight(
                name="temperature_logit", shape=(1,), initializer="glorot_uniform"
            )
        if self.learn_output_scale:
            self.scale_logit = self.add_weight(name="scale", shape=(1,), initializer="glorot_uniform")
        if self.colorize_templates:
            self.color_hidden.build((None, self.n_templates, self.n_features))
            self.color_output.build((None, self.n_templates, 32))

    def make_templates(self, feature: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the templates.

        SCAE, section 2.2, color of a template: c_m = MLP(z_m), T_m^c multiplied by c_m.

        Args:
            feature: [B, P, F], which determines their colors if the decoder colors templates.

        Returns:
            [B, P, h, w, C] in the range of the nonlinearities; [1, P, h, w, C] if not colored.
        """
        if not self.built:
            self.build()
        templates = self._template_nonlinearity(self.template_logits)  # [1, P, h, w, C]
        if feature is None or not self.colorize_templates:
            return templates
        color = self.color_output(self.color_hidden(feature))  # [B, P, C]
        if self.color_nonlin == "relu1":
            color += 0.99  # starts near white, where there is still a gradient
        color = self._color_nonlinearity(color)
        return templates * color[:, :, tf.newaxis, tf.newaxis]  # [B, P, h, w, C]

    def call(
        self,
        pose: tf.Tensor,
        presence: tf.Tensor | None,
        templates: tf.Tensor,
        background: tf.Tensor | None = None,
    ) -> DecodedImage:
        """Renders parts.

        SCAE, section 2.2, template moved to its pose: T'_m = TransformImage(T_m, x_m).

        Args:
            pose: [B, P, 6], rows (m00, m01, tx, m10, m11, ty) of the map from template to canvas.
            presence: [B, P] in [0, 1]; None: all are present.
            templates: [B or 1, P, h, w, C], as `make_templates` returns them.
            background: [B, H, W, C]; None: a learned constant.
        """
        examples, weights = self._inputs(pose, presence, templates, background)
        return self._decode(examples | weights)

    def explain(
        self,
        pose: tf.Tensor,
        presence: tf.Tensor | None,
        templates: tf.Tensor,
        target: tf.Tensor,
        early_gradient: bool = False,
    ) -> ImageExplanation:
        """Returns what training needs from the mixture; on CPUs, without arrays of pixels times parts.

        Args:
            pose: [B, P, 6]; this and what follows are as in `call`.
            presence: [B, P] in [0, 1], or None.
            templates: [B or 1, P, h, w, C].
            target: [B, H, W, C], an image.
            early_gradient: Compute the gradient at once, because it will be requested.
        """
        examples, weights = self._inputs(pose, presence, templates)
        if self.whole_batch:
            mixture = self._decode(examples | weights).mixture
            log_prob, mode = mixture.log_prob(target), mixture.mode()  # [B, H, W, C] each
            log_likelihood = tf.reduce_sum(log_prob, [1, 2, 3])
        else:
            H, W = self.output_size
            per_example = [tf.shape(pose)[0], 1]  # [B, 1], so that each example has its own gradients
            weights = {name: tf.broadcast_to(x, per_example) for name, x in weights.items()}
            pixels = {"target": tf.reshape(target, [-1, H * W, self.n_channels])}  # [B, H * W, C]
            outputs = self._explain_in_blocks(examples | weights, pixels, early_gradient)
            log_likelihood, log_prob, mode = outputs  # [B], [B, H * W, C], [B, H * W, C]
            log_prob, mode = (tf.reshape(x, [-1, H, W, self.n_channels]) for x in (log_prob, mode))
        return ImageExplanation(log_likelihood, tf.stop_gradient(log_prob), tf.stop_gradient(mode))

    def _explain_pixels(self, example, pixels, which):
        """Returns scores [L] of L pixels of one example, and their log-densities and modes, [L, C] each."""
        canvas_x, canvas_y = (
            tf.gather(coordinate, which)[:, tf.newaxis]  # [L, 1]
            for coordinate in canvas_coordinates(self.output_size)
        )
        x, y = template_coordinates(example["pose"], canvas_x, canvas_y, self.template_size)  # [L, P] each
        placed = resample_points(example["templates"], x, y)  # [L, P, C or C + 1]
        if "presence" in example:
            example = example | {"presence": example["presence"][tf.newaxis]}  # [1, P]
        mixture = self._mixture(placed, None, example)
        log_prob = mixture.log_prob(pixels["target"])  # [L, C]
        return [tf.reduce_sum(log_prob, 1), log_prob, mixture.mode()]

    def _inputs(self, pose, presence, templates, background=None):
        """Returns the inputs of each example, and the weights [1]; `_decode` takes both, joined."""
        if self.use_alpha_channel:
            alpha = tf.broadcast_to(self.templates_alpha, [*tf.unstack(tf.shape(templates))[:4], 1])
            templates = tf.concat([templates, alpha], -1)  # [B or 1, P, h, w, C + 1]
        templates = tf.broadcast_to(
            templates, [tf.shape(pose)[0], *templates.shape[1:]]
        )  # [B, P, h, w, C or C + 1]
        examples = {"pose": pose, "presence": presence, "templates": templates, "background": background}
        names = ["bg_value", "bg_mixing_logit" if self.use_alpha_channel else "temperature_logit"]
        if self.learn_output_scale:
            names.append("scale_logit")
        weights = {name: tf.convert_to_tensor(getattr(self, name)) for name in names}  # [1] each
        return {name: x for name, x in examples.items() if x is not None}, weights

    def _decode(self, inputs):
        pose, templates, background = inputs["pose"], inputs["templates"], inputs.get("background")
        x, y = affine_grid(pose, self.template_size, self.output_size)  # [B, P, H * W]
        placed = resample(templates, x, y)  # [B, P, H * W, C or C + 1]
        placed = tf.reshape(
            placed, [-1, self.n_templates, *self.output_size, placed.shape[-1]]
        )  # [B, P, H, W, C or C + 1]
        if background is not None:
            background = background[:, tf.newaxis]  # [B, 1, H, W, C]
        return DecodedImage(self._mixture(placed, background, inputs), placed[..., : self.n_channels])

    def _mixture(self, placed, background, inputs):
        """Mixes placed templates [n, P, ..., C or C + 1] with a background [n, 1, ..., C] or None."""
        parts = placed[..., : self.n_channels]  # [n, P, ..., C]

        def weight(name):
            return tf.reshape(inputs[name], [-1] + [1] * (placed.shape.rank - 1))  # [1 or n, 1, ...]

        if background is None:
            background = tf.broadcast_to(tf.sigmoid(weight("bg_value")), tf.shape(parts[:, :1]))
        if self.use_alpha_channel:
            logits = placed[..., self.n_channels :]  # [n, P, ..., 1]
            background_logits = tf.broadcast_to(
                tf.nn.softplus(weight("bg_mixing_logit")), tf.shape(logits[:, :1])
            )  # [n, 1, ..., 1]
        else:
            temperature = tf.nn.softplus(weight("temperature_logit") + 0.5) + 1e-4  # [1 or n, 1, ...]
            logits, background_logits = parts / temperature, background / temperature
        if "presence" in inputs:
            logits = with_presence(logits, inputs["presence"])
        return PixelMixture(
            mixing_logits=tf.concat([logits, background_logits], 1),  # [n, P + 1, ..., C or 1]
            loc=tf.concat([parts, background], 1),  # [n, P + 1, ..., C]
            scale=tf.nn.softplus(weight("scale_logit")) + 1e-4 if self.learn_output_scale else 1.0,
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "output_size": self.output_size,
            "template_size": self.template_size,
            "n_templates": self.n_templates,
            "n_channels": self.n_channels,
            "n_features": self.n_features,
            "learn_output_scale": self.learn_output_scale,
            "colorize_templates": self.colorize_templates,
            "template_nonlin": self.template_nonlin,
            "color_nonlin": self.color_nonlin,
            "use_alpha_channel": self.use_alpha_channel,
            "template_seed": self.template_seed,
            "whole_batch": self.whole_batch,
        }


@keras.saving.register_keras_serializable(package="stacked_capsules")
class OrthogonalTemplates(keras.initializers.Initializer):
    """Templates [1, P, h, w, C] that are orthogonal to each other, then rescaled to [0, 1].

    Args:
        seed: Seed of the random matrix whose QR decomposition has them as rows.
    """

    def __init__(self, seed: int = 0):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        """Draws the templates."""
        n_templates, n_elements = shape[1], int(np.prod(shape[2:]))
        n = max(n_templates, n_elements)
        q, _ = np.linalg.qr(np.random.default_rng(self.seed).uniform(size=(n, n)))
        q = q[:n_templates, :n_elements].reshape(shape)
        return keras.ops.convert_to_tensor((q - q.min()) / (q.max() - q.min()), dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"seed": self.seed}
