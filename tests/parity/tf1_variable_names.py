"""The original's names of the weights of whole models."""

from __future__ import annotations

from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder
from stacked_capsules.image_autoencoder import ImageAutoencoder
from stacked_capsules.object_capsules import CapsuleLayer
from stacked_capsules.tf1_variables import (
    Names,
    TF1Variable,
    batched_mlp_variables,
    part_encoder_variables,
    set_transformer_variables,
    template_decoder_variables,
)


def model_variables(model: ImageAutoencoder | ConstellationAutoencoder) -> Names:
    """Names of a built model."""
    if isinstance(model, ConstellationAutoencoder):
        capsules = capsule_variables(model.decoder.capsules, "constellation_capsule/capsule_layer")
        return {**set_transformer_variables(model.encoder), **capsules}
    likelihood = model.object_decoder.likelihood
    names = {
        **part_encoder_variables(model.part_encoder),
        **template_decoder_variables(model.part_decoder),
        **set_transformer_variables(model.object_encoder),
        **capsule_variables(model.object_decoder.capsules, "image_capsule/capsule_layer"),
        "image_capsule/capsule_likelihood/dummy_vote": TF1Variable(likelihood.dummy_vote),
    }
    for name, probe in (
        ("classification_probe", model.posterior_probe),
        ("classification_probe_1", model.prior_probe),
    ):
        names[f"image_autoencoder/{name}/linear/w"] = TF1Variable(probe.linear.kernel)
        names[f"image_autoencoder/{name}/linear/b"] = TF1Variable(probe.linear.bias)
    return names


def capsule_variables(layer: CapsuleLayer, scope: str = "capsule_layer") -> Names:
    """Names of a built capsule layer that has parameters of its own."""
    variables = {
        "add/b": layer.object_viewer_bias,
        "add_1/b": layer.caps_presence_bias,
        "add_2/b": layer.vote_presence_bias,
        "add_3/b": layer.scale_bias,
        "cpr_static": layer.static_relations,
    }
    return {
        **batched_mlp_variables(layer.params_mlp, f"{scope}/batch_mlp"),
        **batched_mlp_variables(layer.votes_mlp, f"{scope}/batch_mlp_1"),
        **{f"{scope}/{name}": TF1Variable(variable) for name, variable in variables.items()},
    }
