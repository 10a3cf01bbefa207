"""Names of variables in the published TensorFlow 1 checkpoints, and where their values belong here."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np

from stacked_capsules.attention import MultiHeadAttention
from stacked_capsules.batched_dense import BatchedMLP
from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder
from stacked_capsules.image_autoencoder import ImageAutoencoder
from stacked_capsules.object_capsules import CapsuleLayer
from stacked_capsules.part_capsules import PartCapsuleEncoder
from stacked_capsules.set_transformer import SetTransformer
from stacked_capsules.template_decoder import TemplateDecoder

#: The one weight that no loss depends on.
DUMMY_VOTE = "image_capsule/capsule_likelihood/dummy_vote"


class TF1Variable(NamedTuple):
    """Where a checkpoint's variable belongs: some outputs (columns of the last axis) of one of our variables.

    Attributes:
        variable: ours; attention heads, separate in the checkpoint, are side by side in it.
        columns: which columns of its last axis.
    """

    variable: keras.Variable
    columns: slice = slice(None)

    def take(self, values: np.ndarray) -> np.ndarray:
        """Extracts this variable from values shaped like ours, up to axes of length one."""
        return np.asarray(values)[..., self.columns]

    def put(self, values: np.ndarray, tf1_values: np.ndarray) -> None:
        """Writes this variable into an array shaped like ours."""
        part = values[..., self.columns]
        values[..., self.columns] = np.reshape(tf1_values, part.shape)


Names = dict[str, TF1Variable]


def model_variables(model: ImageAutoencoder | ConstellationAutoencoder) -> Names:
    """Names of a built model whose objects are capsules."""
    if isinstance(model, ConstellationAutoencoder):
        capsules = capsule_variables(model.decoder.capsules, "constellation_capsule/capsule_layer")
        return {**set_transformer_variables(model.encoder), **capsules}
    likelihood = model.object_decoder.likelihood
    names = {
        **part_encoder_variables(model.part_encoder),
        **template_decoder_variables(model.part_decoder),
        **set_transformer_variables(model.object_encoder),
        **capsule_variables(model.object_decoder.capsules, "image_capsule/capsule_layer"),
        DUMMY_VOTE: TF1Variable(likelihood.dummy_vote),
    }
    for name, probe in (
        ("classification_probe", model.posterior_probe),
        ("classification_probe_1", model.prior_probe),
    ):
        names |= _kernel_and_bias(probe.linear, f"image_autoencoder/{name}/linear")
    return names


def part_encoder_variables(
    layer: PartCapsuleEncoder, scope: str = "capsule_image_encoder", cnn_scope: str = "conv_net_2d"
) -> Names:
    """Names of a built part-capsule encoder."""
    names = {}
    for i, conv in enumerate(layer.convs):
        names |= _kernel_and_bias(conv, f"{cnn_scope}/conv_2d_{i}")
    if layer.encoder_type == "linear":
        return names | _kernel_and_bias(layer.linear, f"{scope}/linear")
    names[f"{scope}/add/b"] = TF1Variable(layer.position_bias)
    return names | _kernel_and_bias(layer, f"{scope}/conv_2d")


def template_decoder_variables(layer: TemplateDecoder, scope: str = "template_based_image_decoder") -> Names:
    """Names of a built template decoder."""
    variables = {"templates": layer.template_logits, "bg_value": layer.bg_value}
    if layer.use_alpha_channel:
        variables |= {"templates_alpha": layer.templates_alpha, "bg_mixing_logit": layer.bg_mixing_logit}
    else:
        variables["temperature_logit"] = layer.temperature_logit
    if layer.learn_output_scale:
        variables["scale"] = layer.scale_logit
    names = {f"{scope}/{name}": TF1Variable(variable) for name, variable in variables.items()}
    if layer.colorize_templates:
        names |= _kernel_and_bias(layer.color_hidden, f"{scope}/mlp/linear_0")
        names |= _kernel_and_bias(layer.color_output, f"{scope}/mlp/linear_1")
    return names


def set_transformer_variables(layer: SetTransformer, scope: str = "set_transformer") -> Names:
    """Names of a built set transformer."""
    names = _kernel_and_bias(layer.embed, f"{scope}/linear")
    for i, block in enumerate(layer.blocks):
        induced = "induced_" if block.n_inducing_points else ""
        at = f"{scope}/{_numbered(f'{induced}self_attention', i)}"
        if induced:
            names[f"{at}/inducing_points"] = TF1Variable(block.inducing_points)
        names |= attention_variables(block.attention, f"{at}/multi_head_qkv_attention")
        names |= _kernel_and_bias(block.mlp_hidden, f"{at}/mlp/linear_0")
        names |= _kernel_and_bias(block.mlp_output, f"{at}/mlp/linear_1")
        if block.layer_norm:
            for j, norm in enumerate((block.norm_attention, block.norm_mlp)):
                names[f"{at}/{_numbered('layer_norm', j)}/gamma"] = TF1Variable(norm.gamma)
                names[f"{at}/{_numbered('layer_norm', j)}/beta"] = TF1Variable(norm.beta)
    names |= _kernel_and_bias(layer.project, f"{scope}/linear_1")
    names[f"{scope}/inducing_points"] = TF1Variable(layer.inducing_points)
    return names | attention_variables(layer.read_out, f"{scope}/multi_head_qkv_attention")


def attention_variables(layer: MultiHeadAttention, scope: str) -> Names:
    """Names of a built attention layer: query, key and value of each head in turn, then the output's map."""
    names = {}
    for head in range(layer.n_heads):
        for i, dense in enumerate((layer.query, layer.key, layer.value)):
            size = dense.units // layer.n_heads
            columns = slice(head * size, (head + 1) * size)
            names |= _kernel_and_bias(dense, f"{scope}/{_numbered('linear', 3 * head + i)}", columns)
    return names | _kernel_and_bias(layer.combine, f"{scope}/{_numbered('linear', 3 * layer.n_heads)}")


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


def batched_mlp_variables(layer: BatchedMLP, scope: str) -> Names:
    """Names of a built MLP of capsules."""
    names = {}
    for i, dense in enumerate(layer.dense):
        at = f"{scope}/{_numbered('batch_linear', i)}"
        names[f"{at}/weights"] = TF1Variable(dense.kernel)
        if dense.bias is not None:
            names[f"{at}/add/b"] = TF1Variable(dense.bias)
    return names


def _kernel_and_bias(layer, scope, columns=slice(None)):
    return {
        f"{scope}/w": TF1Variable(layer.kernel, columns),
        f"{scope}/b": TF1Variable(layer.bias, columns),
    }


def _numbered(name, i):
    return name if i == 0 else f"{name}_{i}"
