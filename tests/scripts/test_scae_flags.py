"""Flags of the SCAE training: the original's names and defaults, and those of the options they set."""

import dataclasses
import json

import pytest

from discovery.training.train_config import TrainConfig
from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.data import DataConfig
from stacked_capsules.data.config import read_patterns
from stacked_capsules.learning_options import SCAETraining
from tests.scripts.tiny_runs import IMAGES, POINTS

#: Every flag of the original's training, data and model configurations, with its default.
ORIGINAL = {
    **{"dataset": "mnist", "model": "scae", "name": None, "batch_size": 32, "canvas_size": 28},
    **{"grad_value_clip": 0.0, "grad_norm_clip": 0.0, "ema": 0.9, "run_updates_every": 10},
    **{"global_ema_update": True, "max_train_steps": 300_000, "snapshot_secs": 3600, "snapshot_steps": 0},
    **{"snapshots_to_keep": 5, "summary_steps": 500, "report_loss_steps": 500, "plot": False},
    **{"plot_steps": 1000, "overwrite": False, "check_numerics": False, "lr": 1e-4, "use_lr_schedule": True},
    **{"template_size": 11, "n_part_caps": 16, "n_part_caps_dims": 6, "n_part_special_features": 16},
    **{"n_channels": 1, "n_obj_caps": 10, "n_obj_caps_params": 32, "colorize_templates": False},
    **{"use_alpha_channel": False, "template_nonlin": "relu1", "color_nonlin": "relu1"},
    **{"prior_within_example_sparsity_weight": 1.0, "prior_between_example_sparsity_weight": 1.0},
    **{"posterior_within_example_sparsity_weight": 10.0, "posterior_between_example_sparsity_weight": 10.0},
    **{"mixing_kl_weight": 0.0, "sparsity_weight": 10.0, "dynamic_l2_weight": 10.0},
    "logdir": "/checkpoints/{name}",  # below the package's folder there; below the current one, /, here
}
#: Options that are no flags of training: evaluations have these.
NO_FLAGS = {"n_examples", "variant"}

#: Other values of the flags that each model's options have; the model is built with one of them at a time.
OTHER_VALUES = {
    **{"canvas_size": 40, "n_channels": 2, "n_classes": 11, "template_size": 6, "n_part_caps": 4},
    **{"n_part_special_features": 3, "encoder_type": "linear", "cnn_strides": "2,1,1,1"},
    **{"colorize_templates": True, "use_alpha_channel": True, "learn_output_scale": True, "n_obj_caps": 3},
    **{"n_obj_caps_params": 5, "feed_templates": False, "n_caps": 4, "n_votes": 5, "n_caps_params": 6},
    **{"decoder": "plain", "template_nonlin": "sigmoid", "color_nonlin": "sigmoid", "prep": "sobel"},
    **{"precision": "mixed_bfloat16", "skip_absent_points": True, "encoder_lanes": 2},
    **{"caps_dropout_rate": 0.2, "presence_mask": "log", "vote_type": "soft", "pres_type": "soft"},
    **{"stop_grad_caps_inpt": False, "stop_grad_caps_target": False, "capsule_presence": "soft"},
    **{"posterior_points": "present"},
    **{"prior_sparsity_loss_type": "kl", "posterior_sparsity_loss_type": "kl", "eval_noise": True},
    **{
        "pixel_likelihood": "whole",
        "weight_decay": 0.1,
        "special_features_gradient": 0.5,
        "presence_noise": 2.0,
    },
}


def described(processes, *flags):
    ended = processes.run("tests.scripts.described_model", "scripts.train", "--name=x", *flags)
    assert ended.code == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def defaults(processes):
    """All flags' defaults by name."""
    return described(processes)["flags"] | {"name": None}


def test_the_originals_flags_have_its_names_and_defaults(defaults):
    assert {name: defaults[name] for name in ORIGINAL} == ORIGINAL


@pytest.mark.parametrize("options", [SCAEConfig, ConstellationConfig, DataConfig, SCAETraining, TrainConfig])
def test_flags_have_the_defaults_of_the_options_they_set(defaults, options):
    """And all options can be set."""
    wanted = {field.name: field.default for field in dataclasses.fields(options)}
    present = {name: defaults[name] for name in wanted if name not in NO_FLAGS}
    for name in present.keys() & {"which_patterns", "cnn_strides"}:
        read = read_patterns if name == "which_patterns" else lambda strides: tuple(map(int, strides))
        present[name] = read(present[name])
    assert present == {name: value for name, value in wanted.items() if name not in NO_FLAGS}


@pytest.mark.slow
@pytest.mark.parametrize("options", [SCAEConfig, ConstellationConfig], ids=["scae", "constellation"])
def test_architecture_flags_are_those_that_shape_variables(processes, options):
    base = IMAGES if options is SCAEConfig else POINTS
    weights = {f.name for f in dataclasses.fields(options) if f.name.endswith(("_weight", "_constant"))}
    names = {f.name for f in dataclasses.fields(options)} - weights - {"seed", "n_part_caps_dims"}
    changes = {name: f"--{name}={OTHER_VALUES[name]}" for name in sorted(names)}
    usual = described(processes, *base, "then", *changes.values())
    for name, change in changes.items():
        other = usual["changed"][change]
        assert other["flags"][name] != usual["flags"][name]
        assert (name in usual["architecture"]) == (other["shapes"] != usual["shapes"]), name


def test_compound_patterns():
    assert read_patterns("0,1+2") == ((0,), (1, 2))
    assert read_patterns("all") == "all"
