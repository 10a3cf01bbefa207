"""Layers and functions of SCAE below the object capsules against arrays of the original."""

import re

import tensorflow as tf

from stacked_capsules.attention import MultiHeadAttention, attend
from stacked_capsules.batched_dense import BatchedDense, BatchedMLP
from stacked_capsules.geometry import apply_transform, geometric_transform
from stacked_capsules.nonlinearities import relu1
from stacked_capsules.part_capsules import PartCapsuleEncoder
from stacked_capsules.pixel_mixture import PixelMixture, with_presence
from stacked_capsules.resampler import affine_grid, resample
from stacked_capsules.safe_math import normalize, safe_ce, safe_log
from stacked_capsules.set_transformer import SetTransformer
from stacked_capsules.template_decoder import TemplateDecoder
from stacked_capsules.tf1_variables import (
    TF1Variable,
    attention_variables,
    batched_mlp_variables,
    part_encoder_variables,
    set_transformer_variables,
    template_decoder_variables,
)
from tests.parity.constant_noise import ConstantNoise
from tests.parity.scae_unit import units


@units("geometric_transform")
def test_geometric_transform(unit):
    similarity, nonlinear, as_matrix = map(int, re.findall(r"\d", unit.name))
    unit.check(
        lambda pose: {"y": geometric_transform(pose, bool(similarity), bool(nonlinear), bool(as_matrix))},
        ["y"],
    )


@units("apply_transform")
def test_apply_transform(unit):
    def function(t, x):
        return {
            "none": apply_transform(t),
            "affine": apply_transform(t, x),
            "homog": apply_transform(t, x, affine=False),
        }

    unit.check(function, ["affine"] if unit.golden.names(f"{unit.name}/dgrad/") else [])


@units("safe_log")
def test_safe_log(unit):
    unit.check(lambda x: {"y": safe_log(x)}, ["y"])


@units("relu1")
def test_relu1(unit):
    unit.check(lambda x: {"y": relu1(x)}, ["y"])


@units("safe_ce")
def test_safe_ce(unit):
    unit.check(lambda x, y: {"y": safe_ce(x, y), "y0": safe_ce(x, y, axis=0)})


@units("normalize")
def test_normalize(unit):
    unit.check(lambda x: {"a0": normalize(x, 0), "a1": normalize(x, 1)})


@units("flat_reduce")
def test_flat_reduce(unit):
    def function(x):
        # no function of its own here: a sum over all axes but the batch's
        flat = tf.reshape(x, [x.shape[0], -1])
        sums = tf.reduce_sum(flat, -1)
        return {
            "sum_mean": tf.reduce_mean(sums),
            "max_sum": tf.reduce_sum(tf.reduce_max(flat, -1)),
            "sum_none": sums,
        }

    unit.check(function)


@units("batch_linear", "batch_linear_nobias")
def test_batched_dense(unit):
    layer = BatchedDense(
        unit.shapes["batch_linear/weights"][-1], use_bias="batch_linear/add/b" in unit.shapes
    )
    layer.build(unit.inputs["x"].shape)
    variables = {"batch_linear/weights": TF1Variable(layer.kernel)}
    if layer.use_bias:
        variables["batch_linear/add/b"] = TF1Variable(layer.bias)
    unit.assign(variables)
    unit.check(lambda x: {"y": layer(x)}, ["y"])


@units("batch_mlp")
def test_batched_mlp(unit):
    n_units = [shape[-1] for name, shape in unit.shapes.items() if name.endswith("weights")]
    n_biases = sum(name.endswith("/b") for name in unit.shapes)
    layer = BatchedMLP(
        n_units,
        use_bias=n_biases == len(n_units),
        activate_final="final" in unit.name,
    )
    layer.build(unit.inputs["x"].shape)
    unit.assign(batched_mlp_variables(layer, "batch_mlp"))
    unit.check(lambda x: {"y": layer(x)}, ["y"])


@units("qkv_attention")
def test_attend(unit):
    unit.check(
        lambda q, k, v, presence: {"y": attend(q, k, v), "yp": attend(q, k, v, presence)},
        ["y", "yp"],
        unasked=["presence"],
    )


@units("multi_head_qkv_attention")
def test_multi_head_attention(unit):
    q, k, v = (unit.inputs[name].shape for name in "qkv")
    n_linear = len({name.rsplit("/", 1)[0] for name in unit.shapes})
    layer = MultiHeadAttention((n_linear - 1) // 3)
    layer.build(q, k, v)
    unit.assign(attention_variables(layer, "multi_head_qkv_attention"))
    unit.check(lambda q, k, v, presence: {"y": layer(q, k, v, presence)}, ["y"], unasked=["presence"])


@units("set_transformer")
def test_set_transformer(unit):
    layer = SetTransformer(**unit.notes)
    layer.build(unit.inputs["x"].shape)
    unit.assign(set_transformer_variables(layer))
    unit.check(lambda x, presence=None: {"y": layer(x, presence)}, ["y"])


@units("resampler")
def test_resampler(unit):
    height, width = (int(n) for n in re.search(r"output_size\D*(\d+)\D+(\d+)", unit.notes).groups())

    def function(templates, pose):
        x, y = affine_grid(pose, templates.shape[2:4], (height, width))
        to_canvas = [*pose.shape[:2], height, width, -1]
        return {
            "grid_coords": tf.reshape(tf.stack([x, y], -1), to_canvas),
            "transformed": tf.reshape(resample(templates, x, y), to_canvas),
        }

    unit.check(function, ["transformed"])


@units("resampler_edge")
def test_resampler_at_edges_nan_and_infinity(unit):
    unit.check(lambda data, warp: {"y": resample(data, warp[..., 0], warp[..., 1])})


@units("mixture")
def test_pixel_mixture(unit):
    quantity = unit.name.split("/")[-1]

    def function(logits, mu, x, presence=None):
        if presence is not None:
            logits = with_presence(logits, presence)
        mixture = PixelMixture(logits, mu, 0.7, presence)
        if quantity.startswith("mode"):
            value = mixture.mode(maximum="max" in quantity, straight_through="st" in quantity.split("_"))
        elif quantity == "log_prob":
            value = mixture.log_prob(x)
        elif quantity == "mean":
            value = mixture.mean()
        else:
            value = getattr(mixture, quantity)
        return {quantity: value}

    unit.check(function, [quantity])


@units("capsule_image_encoder")
def test_part_capsule_encoder(unit):
    convs = [shape for name, shape in unit.shapes.items() if re.fullmatch(r"conv_net_2d/conv_2d_\d+/w", name)]
    strides = re.search(r"strides\D*([\d, ]+)", unit.notes).group(1)
    n_caps = unit.golden.arrays[f"{unit.name}/out/pose"].shape[1]
    layer = PartCapsuleEncoder(
        n_caps,
        n_features=int(re.search(r"_f(\d+)$", unit.name).group(1)),
        noise_scale=float(re.search(r"noise_scale=([\d.]*\d)", unit.notes).group(1)),
        encoder_type=re.search(r"/(\w+)_f\d+$", unit.name).group(1),
        filters=[shape[-1] for shape in convs],
        kernel_size=convs[0][0],
        strides=[int(s) for s in strides.split(",")],
    )
    layer.build(unit.inputs["x"].shape)
    unit.assign(part_encoder_variables(layer))
    noise = ConstantNoise(float(re.search(r"u=([\d.]*\d)", unit.notes).group(1)))

    def function(x):
        parts = layer(x, training=True, seed=noise)
        return {**parts._asdict(), "img_embedding": parts.image_embedding}

    unit.check(function, ["pose", "presence"])


@units("template_decoder")
def test_template_decoder(unit):
    feature = unit.inputs["feature"]
    layer = TemplateDecoder(n_templates=feature.shape[1], n_features=feature.shape[2], **unit.notes)
    layer.build()
    unit.assign(template_decoder_variables(layer))

    def function(pose, feature, presence, x):
        made = layer.make_templates(feature)
        mixture, placed = layer(pose, presence, made)
        return {
            "log_prob": mixture.log_prob(x),
            "mean": mixture.mean(),
            "mode": mixture.mode(),
            "mixing_logits": mixture.mixing_logits[:, :-1],
            "transformed_templates": placed,
            "raw_templates": layer.make_templates()[0],
            "made": made,
        }

    unit.check(function, ["log_prob", "mean"], unasked=["x"])
