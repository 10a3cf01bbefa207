"""Flags of the EMORL training: the original's options under their last names."""

import dataclasses
import json

import pytest

from emorl.configuration import EMORLConfig, SlotAttentionConfig
from emorl.data import DataConfig

#: Every option of the original's Net.*, dataset.* and training.*, with its default.
ORIGINAL = {
    **{"input_size": ["3", "64", "64"], "z_size": 64, "K": 4, "stochastic_layers": 3, "refinement_iters": 3},
    **{"log_scale": pytest.approx(-2.302585), "geco_warm_start": 1000, "image_decoder": "iodine"},
    **{"image_likelihood": "Gaussian", "use_DualGRU": True, "bottom_up_prior": False},
    **{"reverse_prior_plusplus": True, "data_path": "", "h5_path": "", "masks": False, "factors": False},
    **{"clevr_preprocess_style": "", "DDP_port": 29500, "batch_size": 16, "num_workers": 8, "mode": "train"},
    **{"model": "EfficientMORL", "iters": 500_000, "lr": 3e-4, "warmup": 10_000, "decay_rate": 0.5},
    **{"decay_steps": 100_000, "kl_beta_init": 1, "use_scheduler": False, "tensorboard_freq": 100},
    **{"checkpoint_freq": 25_000, "load_from_checkpoint": False, "checkpoint": "", "run_suffix": "debug"},
    **{"refinement_curriculum": ["-1:3", "100000:1", "200000:1"], "out_dir": "experiments", "tqdm": False},
    **{"use_geco": True, "clip_grad_norm": True, "geco_reconstruction_target": -23000},
    **{"geco_step_size_acceleration": 1, "geco_ema_alpha": 0.99, "geco_beta_stepsize": 1e-6},
}
#: Defaults that differ: a run's name and folder are --name and --logdir, and CLEVR is cropped unasked.
OURS = {"run_suffix": "", "out_dir": "", "clevr_preprocess_style": None}


@pytest.fixture(scope="module")
def defaults(processes):
    ended = processes.run("tests.scripts.described_model", "scripts.train_emorl", "--name=x")
    assert ended.code == 0, ended.stderr
    return json.loads(ended.stdout)["flags"]


def test_every_option_of_the_original_is_a_flag(defaults):
    assert ORIGINAL.keys() <= defaults.keys()
    assert {name: defaults[name] for name in ORIGINAL} == ORIGINAL | OURS


@pytest.mark.parametrize("options", [EMORLConfig, SlotAttentionConfig, DataConfig])
def test_every_option_here_is_a_flag(defaults, options):
    names = {field.name: field.default for field in dataclasses.fields(options)}
    assert names.keys() - {"max_objects", "variant", "check_masks"} <= defaults.keys()
    if options is EMORLConfig:
        assert {n: defaults[n] for n in names if n != "input_size"} == {
            n: default for n, default in names.items() if n != "input_size"
        }
