import dataclasses
import random

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from tests.stacked_capsules.small_models import images, small_constellation, small_scae


def test_a_model_is_a_function_of_its_config_alone():
    random.seed(5)
    before = random.getstate()
    first = small_scae(seed=1)
    assert random.getstate() == before
    random.seed(6)
    tf.random.set_seed(6)
    again, other = small_scae(seed=1), small_scae(seed=2)
    assert [w.path for w in again.variables] == [w.path for w in first.variables]
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert not np.array_equal(first.part_decoder.template_logits, other.part_decoder.template_logits)


def test_weights_have_paths_of_their_own():
    for model in (small_scae(), small_constellation(), small_constellation(decoder="plain")):
        paths = [w.path for w in model.variables]
        assert len(set(paths)) == len(paths)
        assert all(path.startswith(f"{model.name}/") for path in paths)


@pytest.mark.parametrize(
    ("config", "defaults"),
    [
        (
            SCAEConfig(),
            "canvas_size=28 template_size=11 n_part_caps=16 n_part_caps_dims=6 n_part_special_features=16 "
            "n_channels=1 n_obj_caps=10 n_obj_caps_params=32 colorize_templates=False "
            "use_alpha_channel=False template_nonlin=relu1 color_nonlin=relu1 "
            "prior_within_example_sparsity_weight=1.0 "
            "prior_between_example_sparsity_weight=1.0 posterior_within_example_sparsity_weight=10.0 "
            "posterior_between_example_sparsity_weight=10.0 dynamic_l2_weight=10.0",
        ),
        (
            ConstellationConfig(),
            "mixing_kl_weight=0.0 sparsity_weight=10.0 dynamic_l2_weight=10.0 "
            "prior_within_example_sparsity_weight=1.0 prior_between_example_sparsity_weight=1.0 "
            "posterior_within_example_sparsity_weight=10.0 posterior_between_example_sparsity_weight=10.0",
        ),
    ],
)
def test_defaults_are_those_of_the_original_flags(config, defaults):
    values = {name: str(value) for name, value in dataclasses.asdict(config).items()}
    assert set(defaults.split()) <= {f"{name}={value}" for name, value in values.items()}


@pytest.mark.parametrize("option", ["template_nonlin", "color_nonlin", "prep", "vote_type", "encoder_type"])
def test_options_reach_the_model(option):
    value = {"prep": "sobel", "vote_type": "hard", "encoder_type": "conv"}.get(option, "sigmoid")
    usual = {"colorize_templates": True, "pixel_likelihood": "whole"}  # nothing to compile
    default, other = small_scae(**usual), small_scae(**usual, **{option: value})
    batch = images()
    losses = [model.losses(batch, model(batch["image"]))[0] for model in (default, other)]
    assert losses[0] != losses[1]


def test_pixels_are_scored_as_suits_the_device_unless_it_is_said(monkeypatch):
    for gpus in ([], ["GPU:0"]):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind, gpus=gpus: gpus)
        models = [small_scae(pixel_likelihood=how) for how in ("auto", "whole", "blocks")]
        assert [model.part_decoder.whole_batch for model in models] == [bool(gpus), True, False]
    with pytest.raises(UserError, match="pixel_likelihood must be one of auto, blocks, whole, not 'cpu'"):
        small_scae(pixel_likelihood="cpu")


def test_the_width_of_presence_noise_reaches_the_object_capsules():
    assert small_scae().object_decoder.capsules.noise_scale == 4.0
    assert small_scae(presence_noise=2.0).object_decoder.capsules.noise_scale == 2.0
    assert small_constellation(presence_noise=2.0).decoder.capsules.noise_scale == 2.0
    assert small_constellation(presence_noise=2.0, decoder="plain").decoder.noise_scale == 2.0


def test_sizes_must_be_positive():
    with pytest.raises(UserError, match="n_caps must be an integer of at least 1, not 0"):
        small_constellation(n_caps=0)
