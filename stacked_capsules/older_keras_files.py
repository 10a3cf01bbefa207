"""Options from `.keras` files of version 0.1.0, which name a model's layers one by one."""

from __future__ import annotations

import dataclasses
from typing import Any

from stacked_capsules.configuration import ConstellationConfig, SCAEConfig


def image_options(config: dict[str, Any]) -> SCAEConfig:
    """Returns the options of an image model, from the arguments that it had then."""
    parts, drawn, objects, decoder = (
        config[name]["config"]
        for name in ("part_encoder", "part_decoder", "object_encoder", "object_decoder")
    )
    capsules = decoder["capsules"]["config"]
    return SCAEConfig(
        **_own(SCAEConfig, config),
        canvas_size=drawn["output_size"][0],
        n_channels=drawn["n_channels"],
        template_size=drawn["template_size"][0],
        n_part_caps=parts["n_caps"],
        n_part_caps_dims=parts["n_caps_dims"],
        n_part_special_features=parts["n_features"],
        colorize_templates=drawn["colorize_templates"],
        use_alpha_channel=drawn["use_alpha_channel"],
        learn_output_scale=drawn["learn_output_scale"],
        template_nonlin=drawn["template_nonlin"],
        color_nonlin=drawn["color_nonlin"],
        cnn_strides=tuple(parts["strides"]),
        encoder_type=parts["encoder_type"],
        precision=parts.get("precision", "float32"),
        pixel_likelihood="whole" if drawn.get("whole_batch") else "blocks",
        n_obj_caps=capsules["n_caps"],
        n_obj_caps_params=capsules["n_caps_params"],
        caps_dropout_rate=capsules["caps_dropout_rate"],
        presence_noise=capsules["noise_scale"],
        presence_mask=objects["presence_mask"],
        eval_noise=parts["eval_noise"],
        seed=drawn["template_seed"],
    )


def constellation_options(config: dict[str, Any]) -> ConstellationConfig:
    """Returns the options of a constellation model, likewise."""
    encoder, decoder = config["encoder"]["config"], config["decoder"]["config"]
    plain = "capsules" not in decoder
    capsules = decoder if plain else decoder["capsules"]["config"]
    return ConstellationConfig(
        **_own(ConstellationConfig, config),
        n_caps=capsules["n_caps"],
        n_votes=capsules["n_votes"],
        n_caps_params=ConstellationConfig.n_caps_params if plain else capsules["n_caps_params"],
        decoder="plain" if plain else "capsule",
        presence_noise=capsules["noise_scale"],
        presence_mask=encoder["presence_mask"],
        skip_absent_points=encoder.get("skip_absent", False),
        encoder_lanes=encoder.get("n_lanes", 1),
        eval_noise=capsules["eval_noise"],
    )


def _own(config_class, config):
    """Returns the arguments that are options by the same name."""
    names = {field.name for field in dataclasses.fields(config_class)} - {"decoder"}  # a layer then
    return {name: value for name, value in config.items() if name in names}
