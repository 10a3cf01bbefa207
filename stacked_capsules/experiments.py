"""From an experiment's options to a built model."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from discovery import UserError
from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder
from stacked_capsules.constellation_capsule import ConstellationCapsule
from stacked_capsules.constellation_decoder import ConstellationDecoder
from stacked_capsules.image_autoencoder import ImageAutoencoder
from stacked_capsules.image_capsule import ImageCapsule
from stacked_capsules.object_capsules import CapsuleLayer
from stacked_capsules.part_capsules import PartCapsuleEncoder
from stacked_capsules.set_transformer import SetTransformer
from stacked_capsules.template_decoder import TemplateDecoder
from stacked_capsules.vote_likelihood import OrderInvariantVoteLikelihood, VoteLikelihood

__all__ = ["ConstellationConfig", "SCAEConfig", "make_constellation", "make_scae"]


def make_scae(config: SCAEConfig) -> ImageAutoencoder:
    """Builds the stacked capsule autoencoder of images (SCAE, section 3.2), weights as the config says.

    Raises:
        UserError: An option is unknown, or sizes do not fit.
    """
    _check_sizes(
        config, "canvas_size n_channels n_classes template_size n_part_caps n_obj_caps n_obj_caps_params"
    )
    with _seeded_initializers(config.seed):
        model = ImageAutoencoder(
            part_encoder=PartCapsuleEncoder(
                n_caps=config.n_part_caps,
                n_caps_dims=config.n_part_caps_dims,
                n_features=config.n_part_special_features,
                encoder_type=config.encoder_type,
                strides=[int(stride) for stride in config.cnn_strides],
                eval_noise=config.eval_noise,
                precision=config.precision,
                name="part_encoder",
            ),
            part_decoder=TemplateDecoder(
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
            ),
            object_encoder=SetTransformer(
                n_layers=3,
                n_heads=1,
                n_dims=16,
                n_output_dims=256,
                n_outputs=config.n_obj_caps,
                layer_norm=True,
                presence_mask=config.presence_mask,
                name="object_encoder",
            ),
            object_decoder=ImageCapsule(
                CapsuleLayer(
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
                ),
                VoteLikelihood(name="likelihood"),
                name="object_decoder",
            ),
            n_classes=config.n_classes,
            dynamic_l2_weight=config.dynamic_l2_weight,
            caps_ll_weight=config.caps_ll_weight,
            vote_type=config.vote_type,
            pres_type=config.pres_type,
            stop_grad_caps_inpt=config.stop_grad_caps_inpt,
            stop_grad_caps_target=config.stop_grad_caps_target,
            prior_sparsity_loss_type=config.prior_sparsity_loss_type,
            prior_within_example_sparsity_weight=config.prior_within_example_sparsity_weight,
            prior_between_example_sparsity_weight=config.prior_between_example_sparsity_weight,
            prior_within_example_constant=config.prior_within_example_constant,
            posterior_sparsity_loss_type=config.posterior_sparsity_loss_type,
            posterior_within_example_sparsity_weight=config.posterior_within_example_sparsity_weight,
            posterior_between_example_sparsity_weight=config.posterior_between_example_sparsity_weight,
            primary_caps_sparsity_weight=config.primary_caps_sparsity_weight,
            weight_decay=config.weight_decay,
            feed_templates=config.feed_templates,
            prep=config.prep,
            special_features_gradient=config.special_features_gradient,
        )
        model.build()
    return model


def make_constellation(config: ConstellationConfig) -> ConstellationAutoencoder:
    """Builds the constellation autoencoder (SCAE, section 3.1); a pure function of the config.

    Raises:
        UserError: An option is unknown.
    """
    _check_sizes(config, "n_caps n_votes n_caps_params encoder_lanes")
    with _seeded_initializers(config.seed):
        model = ConstellationAutoencoder(
            encoder=SetTransformer(
                n_layers=4,
                n_heads=4,
                n_dims=128,
                n_output_dims=32,
                n_outputs=config.n_caps,
                layer_norm=True,
                presence_mask=config.presence_mask,
                skip_absent=config.skip_absent_points,
                n_lanes=config.encoder_lanes,
                name="encoder",
            ),
            decoder=_constellation_decoder(config),
            n_classes=2,
            dynamic_l2_weight=config.dynamic_l2_weight,
            mixing_kl_weight=config.mixing_kl_weight,
            sparsity_weight=config.sparsity_weight,
            prior_sparsity_loss_type="l2",
            prior_within_example_sparsity_weight=config.prior_within_example_sparsity_weight,
            prior_between_example_sparsity_weight=config.prior_between_example_sparsity_weight,
            prior_within_example_constant=config.prior_within_example_constant,
            posterior_sparsity_loss_type="entropy",
            posterior_within_example_sparsity_weight=config.posterior_within_example_sparsity_weight,
            posterior_between_example_sparsity_weight=config.posterior_between_example_sparsity_weight,
            capsule_presence=config.capsule_presence,
            posterior_points=config.posterior_points,
        )
        model.build()
    return model


def _constellation_decoder(config):
    if config.decoder == "plain":
        return ConstellationDecoder(
            config.n_caps,
            config.n_votes,
            noise_scale=config.presence_noise,
            eval_noise=config.eval_noise,
            name="decoder",
        )
    if config.decoder != "capsule":
        raise UserError(f"decoder: {config.decoder!r} is not known, use capsule or plain")
    capsules = CapsuleLayer(
        n_caps=config.n_caps,
        n_votes=config.n_votes,
        n_caps_params=config.n_caps_params,
        learn_vote_scale=True,
        noise_type="uniform",
        noise_scale=config.presence_noise,
        eval_noise=config.eval_noise,
        name="capsules",
    )
    likelihood = OrderInvariantVoteLikelihood(config.n_votes, name="likelihood")
    return ConstellationCapsule(capsules, likelihood, name="decoder")


def _in_whole_batches(pixel_likelihood):
    if pixel_likelihood not in ("auto", "blocks", "whole"):
        raise UserError(f"pixel_likelihood: {pixel_likelihood!r} is not known, use auto, blocks or whole")
    if pixel_likelihood == "auto":
        return bool(tf.config.list_physical_devices("GPU"))
    return pixel_likelihood == "whole"


def _check_sizes(config, names):
    for name in names.split():
        if getattr(config, name) < 1:
            raise UserError(f"{name}: {getattr(config, name)}, but it must be at least 1")


@contextmanager
def _seeded_initializers(seed: int) -> Iterator[None]:
    """Seeds the initializers made within: Keras takes their seeds from Python's generator; restored after."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
