"""Which of our weights each variable of the original is; it has one per attention head, we one for all."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np

from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder
from stacked_capsules.image_autoencoder import ImageAutoencoder
from stacked_capsules.object_capsules import CapsuleLayer
from stacked_capsules.set_transformer import SetTransformer


class Weight(NamedTuple):
    """Some columns of one of our weights; in the original, values have the same order but another shape.

    Attributes:
        variable: ours.
        columns: slice of its last axis.
    """

    variable: keras.Variable
    columns: slice = slice(None)

    def of(self, array) -> np.ndarray:
        """Picks the columns out of an array that is like our variable: its value, gradient or change."""
        return np.asarray(array)[..., self.columns]

    def assign(self, value: np.ndarray) -> None:
        """Sets the columns."""
        whole = self.variable.numpy().copy()
        whole[..., self.columns] = value.reshape(self.of(whole).shape)
        self.variable.assign(whole)


def tf1_variables(model: ImageAutoencoder | ConstellationAutoencoder) -> dict[str, Weight]:
    """Returns name in the original -> our weight."""
    if isinstance(model, ConstellationAutoencoder):
        capsules = _capsules("constellation_capsule/capsule_layer", model.decoder.capsules)
        return {**_set_transformer(model.encoder), **capsules}
    likelihood = model.object_decoder.likelihood
    return {
        **_part_encoder(model.part_encoder),
        **_template_decoder(model.part_decoder),
        **_set_transformer(model.object_encoder),
        **_capsules("image_capsule/capsule_layer", model.object_decoder.capsules),
        "image_capsule/capsule_likelihood/dummy_vote": Weight(likelihood.dummy_vote),
        **_dense("image_autoencoder/classification_probe/linear", model.posterior_probe.linear),
        **_dense("image_autoencoder/classification_probe_1/linear", model.prior_probe.linear),
    }


def capsule_variables(layer: CapsuleLayer) -> dict[str, Weight]:
    """Returns the same for a capsule layer on its own."""
    return _capsules("capsule_layer", layer)


def _dense(name, layer, columns=slice(None)):
    return {f"{name}/w": Weight(layer.kernel, columns), f"{name}/b": Weight(layer.bias, columns)}


def _numbered(name, i):
    return f"{name}_{i}" if i else name


def _part_encoder(encoder):
    names = {
        "capsule_image_encoder/add/b": Weight(encoder.position_bias),
        "capsule_image_encoder/conv_2d/w": Weight(encoder.kernel),
        "capsule_image_encoder/conv_2d/b": Weight(encoder.bias),
    }
    for i, conv in enumerate(encoder.convs):
        names |= _dense(f"conv_net_2d/conv_2d_{i}", conv)
    return names


def _template_decoder(decoder):
    ours = {"templates": decoder.template_logits, "bg_value": decoder.bg_value}
    if decoder.use_alpha_channel:
        ours |= {"templates_alpha": decoder.templates_alpha, "bg_mixing_logit": decoder.bg_mixing_logit}
    else:
        ours["temperature_logit"] = decoder.temperature_logit
    if decoder.learn_output_scale:
        ours["scale"] = decoder.scale_logit
    names = {f"template_based_image_decoder/{name}": Weight(variable) for name, variable in ours.items()}
    if decoder.colorize_templates:
        names |= _dense("template_based_image_decoder/mlp/linear_0", decoder.color_hidden)
        names |= _dense("template_based_image_decoder/mlp/linear_1", decoder.color_output)
    return names


def _set_transformer(transformer: SetTransformer):
    names = {
        **_dense("set_transformer/linear", transformer.embed),
        **_dense("set_transformer/linear_1", transformer.project),
        "set_transformer/inducing_points": Weight(transformer.inducing_points),
        **_attention("set_transformer/multi_head_qkv_attention", transformer.read_out),
    }
    for i, block in enumerate(transformer.blocks):
        name = f"set_transformer/{_numbered('self_attention', i)}"
        names |= _attention(f"{name}/multi_head_qkv_attention", block.attention)
        names |= _dense(f"{name}/mlp/linear_0", block.mlp_hidden)
        names |= _dense(f"{name}/mlp/linear_1", block.mlp_output)
        if block.layer_norm:
            for j, norm in enumerate((block.norm_attention, block.norm_mlp)):
                names[f"{name}/{_numbered('layer_norm', j)}/gamma"] = Weight(norm.gamma)
                names[f"{name}/{_numbered('layer_norm', j)}/beta"] = Weight(norm.beta)
    return names


def _attention(name, attention):
    names, i = {}, 0
    for head in range(attention.n_heads):
        for layer in (attention.query, attention.key, attention.value):
            width = layer.units // attention.n_heads
            columns = slice(head * width, (head + 1) * width)
            names |= _dense(f"{name}/{_numbered('linear', i)}", layer, columns)
            i += 1
    return names | _dense(f"{name}/{_numbered('linear', i)}", attention.combine)


def _capsules(name, layer: CapsuleLayer):
    ours = {
        "add/b": layer.object_viewer_bias,
        "add_1/b": layer.caps_presence_bias,
        "add_2/b": layer.vote_presence_bias,
        "add_3/b": layer.scale_bias,
        "cpr_static": layer.static_relations,
    }
    for i, mlp in enumerate((layer.params_mlp, layer.votes_mlp)):
        for j, dense in enumerate(mlp.dense):
            prefix = f"{_numbered('batch_mlp', i)}/{_numbered('batch_linear', j)}"
            ours[f"{prefix}/weights"] = dense.kernel
            if dense.bias is not None:
                ours[f"{prefix}/add/b"] = dense.bias
    return {f"{name}/{tf1_name}": Weight(variable) for tf1_name, variable in ours.items()}
