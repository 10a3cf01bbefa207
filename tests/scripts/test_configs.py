"""Every file in configs/ parses and builds its model, and says what the experiment's table of facts says."""

import json
import re
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
CONFIGS = sorted((REPO / "configs").glob("*.flags"))
SCAE = {"mnist", "mnist_fast", "mnist_as_written", "mnist_coupled"}
SCAE |= {"constellation", "constellation_fast", "digits", "svhn", "cifar10"}


def described(processes, *flags, script="scripts.train"):
    ended = processes.run("tests.scripts.described_model", script, "--name=x", *flags)
    assert ended.code == 0, ended.stderr
    assert ended.stderr == ""
    return json.loads(ended.stdout)


#: Of EMORL's configurations: what its authors' training files say.
_GECO = {"use_geco": True, "geco_beta_stepsize": 1e-6, "geco_ema_alpha": 0.99}
_EMORL = {"model": "EfficientMORL", "batch_size": 32, "iters": 300_000, "clip_grad_norm": True, "tqdm": True}
_EMORL |= {"stochastic_layers": 3, "use_DualGRU": True, "reverse_prior_plusplus": True, "kl_beta_init": 1.0}
_EMORL |= {"z_size": 64, "image_decoder": "iodine", "log_scale": -2.3025859, "bottom_up_prior": False}
_EMORL |= {"refinement_curriculum": ["-1:3", "100000:1", "200000:1"], "image_likelihood": "GMM", **_GECO}
_SLOTS = {"model": "SlotAttention", "batch_size": 64, "iters": 500_000, "clip_grad_norm": False}
_SLOTS |= {"use_geco": False, "image_decoder": "small", "z_size": 64}
_LARGE = {"K": 11, "input_size": ["3", "128", "128"], "geco_step_size_acceleration": 5.0}
_LARGE |= {"refinement_curriculum": ["-1:3", "100000:2", "200000:2"]}
AUTHORS = {
    "tetrominoes": _EMORL
    | {"K": 4, "input_size": ["3", "35", "35"], "z_size": 32, "image_decoder": "small", "iters": 200_000}
    | {"image_likelihood": "Gaussian", "log_scale": -1.2039728, "geco_reconstruction_target": -1.224}
    | {"refinement_curriculum": ["-1:3", "200000:3"]},
    "multi_dsprites": _EMORL
    | {"K": 6, "input_size": ["3", "64", "64"], "image_likelihood": "Gaussian", "use_geco": False},
    "clevr6": _EMORL | {"K": 7, "input_size": ["3", "96", "96"], "geco_reconstruction_target": -2.206},
    "clevr6_128": _EMORL | _LARGE | {"geco_reconstruction_target": -2.1},
    "clevrtex": _EMORL | _LARGE | {"geco_reconstruction_target": -1.5},
    "slot_attention_tetrominoes": _SLOTS | {"K": 4, "input_size": ["3", "35", "35"], "z_size": 32},
    "slot_attention_multi_dsprites": _SLOTS | {"K": 6, "input_size": ["3", "64", "64"]},
    "slot_attention_clevr6": _SLOTS | {"K": 7, "input_size": ["3", "96", "96"], "image_decoder": "big"},
}
#: What ours says.
_VAE = {"model": "VAE", "input_size": ["3", "35", "35"], "z_size": 32, "image_decoder": "small"}
AUTHORS["vae_tetrominoes"] = _VAE | {"init_gain": 1.0, "log_scale": -1.2039728}
#: What of it makes the model.
MODEL = ("model", "K", "input_size", "z_size", "image_decoder")


@pytest.fixture(scope="module")
def scae(processes):
    """What the SCAE configurations ask for, by name."""
    return {path.stem: described(processes, f"--flagfile={path}") for path in CONFIGS if path.stem in SCAE}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_head_tells_what_it_is(path):
    head = path.read_text().split("\n--")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    for word in ("# Command:", "# Expected:", "# Time:"):
        assert head.count(word) == 1
    assert re.search(r"NeurIPS 2019|ICML 2021|NeurIPS 2020|ICLR 2014", head)
    command = re.search(r"# Command: +(\S+)", head)[1]
    assert command == "python" or (REPO / command).exists()


def test_all_scae_configurations_build(scae):
    assert scae.keys() == SCAE
    for name, told in scae.items():
        assert told["flags"]["name"] == name
        assert told["n_weights"] > 10_000


@pytest.mark.parametrize("path", [p for p in CONFIGS if p.stem not in SCAE], ids=lambda path: path.stem)
def test_emorl_configurations_build(processes, path):
    told = described(processes, f"--flagfile={path}", script="scripts.train_emorl")
    assert told["flags"]["name"] == path.stem
    assert told["flags"]["mode"] == "train"  # two of the authors' files train on the test split
    experiment = path.stem.removesuffix("_fast")
    wanted = AUTHORS[experiment] | {"lr": 4e-4, "use_scheduler": True, "seed": 1}
    if experiment != path.stem:  # another training of the same model
        wanted = {name: wanted[name] for name in MODEL}
    assert {name: told["flags"][name] for name in wanted} == wanted
    assert told["flags"]["dataset"] == re.sub("^(slot_attention|vae)_", "", experiment)
    assert told["n_weights"] > 10_000


def test_the_reproduction_is_as_run(scae):
    """The learning rate was constant; n_obj_caps / n_classes stood for the within-example constant."""
    for name in ("mnist", "mnist_coupled", "constellation"):
        assert not scae[name]["flags"]["use_lr_schedule"]
        assert scae[name]["flags"]["prior_within_example_constant"] == 0.0
        assert scae[name]["flags"]["max_train_steps"] == 300_000
    mnist = scae["mnist"]["flags"]
    given = {"batch_size": 128, "lr": 3e-5, "canvas_size": 40, "n_part_caps": 40, "n_obj_caps": 32}
    given |= {"posterior_within_example_sparsity_weight": 0.7, "prior_within_example_sparsity_weight": 2.0}
    given |= {"posterior_between_example_sparsity_weight": 0.2, "prior_between_example_sparsity_weight": 0.35}
    given |= {"color_nonlin": "sigmoid", "template_nonlin": "sigmoid"}
    given |= {"colorize_templates": True, "use_alpha_channel": True}
    assert {name: mnist[name] for name in given} == given


def test_as_written_differs_where_the_program_did_not_do_what_the_script_says(scae):
    run, written = scae["mnist"]["flags"], scae["mnist_as_written"]["flags"]
    differing = {name: written[name] for name in run if run[name] != written[name]}
    differing.pop("flagfile", None)
    assert differing == {
        "name": "mnist_as_written",
        "use_lr_schedule": True,
        "prior_within_example_constant": 4.3,
    }


def test_coupled_ties_mixing_proportions_to_templates(scae):
    flags = scae["mnist_coupled"]["flags"]
    assert (flags["n_part_caps"], flags["n_obj_caps"]) == (24, 24)
    assert (flags["colorize_templates"], flags["use_alpha_channel"]) == (True, False)
    names = {path.rpartition("/")[2] for path in scae["mnist_coupled"]["shapes"]}
    assert "temperature_logit" in names
    assert "templates_alpha" not in names


def test_color_images(scae):
    for name, (n_parts, n_objects) in {"svhn": (24, 32), "cifar10": (32, 64)}.items():
        flags = scae[name]["flags"]
        assert (flags["n_part_caps"], flags["n_obj_caps"]) == (n_parts, n_objects)
        assert (flags["template_size"], flags["canvas_size"], flags["n_channels"]) == (14, 32, 3)
        assert (flags["cnn_strides"], flags["prep"]) == (["1", "1", "2", "2"], "sobel")
        assert "No author's file" in (REPO / "configs" / f"{name}.flags").read_text()
