import numpy as np
import pytest

from stacked_capsules.batched_dense import BatchedMLP
from stacked_capsules.part_capsules import PartCapsuleEncoder
from stacked_capsules.set_transformer import SetTransformer
from stacked_capsules.template_decoder import TemplateDecoder
from stacked_capsules.tf1_variables import (
    batched_mlp_variables,
    part_encoder_variables,
    set_transformer_variables,
    template_decoder_variables,
)


@pytest.mark.parametrize(
    ("layer", "shape", "name"),
    [
        (SetTransformer(2, 3, 8, 12, 5, layer_norm=True), (None, 6, 4), set_transformer_variables),
        (SetTransformer(2, 2, 8, 12, 5, n_inducing_points=3), (None, 6, 4), set_transformer_variables),
        (PartCapsuleEncoder(4), (None, 28, 28, 1), part_encoder_variables),
        (PartCapsuleEncoder(4, encoder_type="linear"), (None, 28, 28, 1), part_encoder_variables),
        (TemplateDecoder(colorize_templates=True), None, template_decoder_variables),
        (TemplateDecoder(use_alpha_channel=True, learn_output_scale=True), None, template_decoder_variables),
        (
            BatchedMLP([3, 2], use_bias=False),
            (None, 6, 4),
            lambda layer: batched_mlp_variables(layer, "batch_mlp"),
        ),
    ],
)
def test_every_number_of_a_layer_has_one_name(layer, shape, name):
    layer.build(shape)
    counts = {w.path: np.zeros(w.shape) for w in layer.weights}
    for part in name(layer).values():
        values = counts[part.variable.path]
        part.put(values, part.take(values) + 1.0)
    assert all((count == 1.0).all() for count in counts.values())
