"""The options of both models, under the original's names and with its defaults where it has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from discovery.options import later_option


@dataclass(frozen=True)
class SCAEConfig:
    """An image model; see `ImageAutoencoder` and its parts for what the fields mean.

    Attributes:
        canvas_size: Side of the images.
        n_channels: Channels of the images.
        cnn_strides: Strides of the four convolutions of the part encoder.
        encoder_type: How the CNN's embedding becomes part capsules.
        presence_noise: Width of the uniform noise on the presence logits of object capsules.
        precision: "float32", or "mixed_bfloat16" for convolutions of bfloat16.
        pixel_likelihood: "blocks" of pixels, which fit into a CPU's cache; "whole" batches, for accelerators;
            "auto", whole batches where TensorFlow has a GPU. Values differ by rounding alone.
        seed: Seed of the initial weights.
    """

    canvas_size: int = 28
    n_channels: int = 1
    n_classes: int = 10
    # Parts
    template_size: int = 11
    n_part_caps: int = 16
    n_part_caps_dims: int = 6
    n_part_special_features: int = 16
    colorize_templates: bool = False
    use_alpha_channel: bool = False
    learn_output_scale: bool = False
    template_nonlin: str = "relu1"
    color_nonlin: str = "relu1"
    cnn_strides: Sequence[int] = (2, 2, 1, 1)
    encoder_type: str = "conv_att"
    prep: str = "none"
    precision: str = "float32"
    pixel_likelihood: str = later_option("auto")
    # Objects
    n_obj_caps: int = 10
    n_obj_caps_params: int = 32
    caps_dropout_rate: float = 0.0
    presence_noise: float = later_option(4.0)
    presence_mask: str = "as_run"
    vote_type: str = "enc"
    pres_type: str = "enc"
    stop_grad_caps_inpt: bool = True
    stop_grad_caps_target: bool = True
    special_features_gradient: float = later_option(1.0)
    feed_templates: bool = True
    # Loss weights
    dynamic_l2_weight: float = 10.0
    caps_ll_weight: float = 1.0
    prior_sparsity_loss_type: str = "l2"
    prior_within_example_sparsity_weight: float = 1.0
    prior_between_example_sparsity_weight: float = 1.0
    prior_within_example_constant: float = 0.0
    posterior_sparsity_loss_type: str = "entropy"
    posterior_within_example_sparsity_weight: float = 10.0
    posterior_between_example_sparsity_weight: float = 10.0
    primary_caps_sparsity_weight: float = 0.0
    weight_decay: float = 0.0
    # Noise and initial weights
    eval_noise: bool = False
    seed: int = 0


@dataclass(frozen=True)
class ConstellationConfig:
    """A constellation model; see `ConstellationAutoencoder` and its parts for what the fields mean.

    Attributes:
        n_caps: Number of capsules; the original fixes it, and `n_votes` and `n_caps_params`.
        decoder: "capsule", or "plain" for the baseline without geometry.
        presence_noise: Width of the uniform noise on presence logits.
        skip_absent_points: In training, encode the present points alone (the same up to rounding).
        encoder_lanes: In training, parts of the batch that are encoded beside each other.
        seed: Seed of the initial weights.
    """

    # Capsules
    n_caps: int = 3
    n_votes: int = 4
    n_caps_params: int = 32
    decoder: str = "capsule"
    presence_noise: float = later_option(4.0)
    presence_mask: str = "as_run"
    # Speed
    skip_absent_points: bool = later_option(False)
    encoder_lanes: int = later_option(1)
    # Loss weights
    dynamic_l2_weight: float = 10.0
    sparsity_weight: float = 10.0
    mixing_kl_weight: float = 0.0
    prior_within_example_sparsity_weight: float = 1.0
    prior_between_example_sparsity_weight: float = 1.0
    prior_within_example_constant: float = 0.0
    posterior_within_example_sparsity_weight: float = 10.0
    posterior_between_example_sparsity_weight: float = 10.0
    capsule_presence: str = "binary"
    posterior_points: str = later_option("all")
    # Noise and initial weights
    eval_noise: bool = False
    seed: int = 0
