"""What the authors' `.pth` files hold, under their newest and older names, and two files that they wrote."""

import importlib.util
import json

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from emorl.configuration import EMORLConfig, SlotAttentionConfig
from emorl.seeded_models import make_efficient_morl, make_slot_attention
from emorl.torch_checkpoint import (
    MOMENTS,
    checkpoint_of,
    efficient_morl_options,
    imported_state,
    read_torch_checkpoint,
    slot_attention_options,
)
from tests.parity import golden_arrays
from tests.parity.emorl_reference import StoredNoise, by_path, make_model, reference_outputs, set_weights
from tests.parity.torch_files import content_of, older_names
from tests.samples import sample

FILES = golden_arrays.golden_files("emorl")
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
#: One file, if there is one, of a DualGRU.
SOME = [path for path in FILES if golden_arrays.load(path).meta["config"].get("net", {}).get("use_DualGRU")][
    :1
]
some_file = pytest.mark.parametrize("path", SOME, ids=lambda path: path.stem)


def options_of(golden):
    is_baseline = golden.meta["config"]["model"] == "SlotAttention"
    return slot_attention_options if is_baseline else efficient_morl_options


@each_file
def test_a_file_tells_the_options(path):
    golden = golden_arrays.load(path)
    told = options_of(golden)(checkpoint_of("p", content_of(golden, kl_beta=0.5)))
    wanted = golden.meta["config"]["net"] | {"kl_beta_init": 0.5}
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}
    assert told == {name: wanted[name] for name in told}
    assert {"z_size", "image_decoder"} <= told.keys()


@each_file
def test_weights_and_moments(path):
    """Each moment is a known multiple of its weight in these files, so that none can be another's."""
    golden = golden_arrays.load(path)
    checkpoint = checkpoint_of("p", content_of(golden))
    model = make_model(golden.meta)
    state = imported_state(checkpoint, model)
    set_weights(model, golden)
    assert (state.step, checkpoint.n_updates) == (7, {8})
    assert state.weights.keys() == {weight.path for weight in model.weights}
    for weight in model.weights:
        np.testing.assert_array_equal(state.weights[weight.path], weight.numpy(), err_msg=weight.path)
    for kind, factor in zip(MOMENTS, (-2.0, 3.0), strict=True):
        assert state.slots[kind].keys() == {weight.path for weight in model.trainable_weights}
        for weight_path, moment in state.slots[kind].items():
            np.testing.assert_array_equal(moment, np.float32(factor) * state.weights[weight_path])


@each_file
@pytest.mark.parametrize("older", [False, True], ids=["prefix", "older"])
def test_other_names_mean_the_same(path, older):
    golden = golden_arrays.load(path)
    content = content_of(golden)
    renamed = older_names(content) if older else content
    renamed["model"] = {f"module.{name}": array for name, array in renamed["model"].items()}
    one, other = checkpoint_of("p", content), checkpoint_of("p", renamed)
    assert one.weights.keys() == other.weights.keys()
    assert one.moments.keys() == other.moments.keys()
    for name, array in (one.weights | one.moments).items():
        np.testing.assert_array_equal((other.weights | other.moments)[name], array, err_msg=name)


@some_file
def test_all_that_is_missing_or_left_over_is_listed(path):
    golden = golden_arrays.load(path)
    content = content_of(golden)
    names = list(content["model"])
    number = names.index("refinenet.loc.weight")
    content["model_opt"]["state"][number]["max_exp_avg_sq"] = np.zeros(())
    del content["model_opt"]["state"][names.index("hvae_networks.to_q.weight")]["exp_avg"]
    content["model"]["stranger"] = np.zeros(3)
    content["model_opt"]["param_groups"][0]["params"].append(len(names))
    content["model"]["hvae_networks.to_k.weight"] = np.zeros((2, 3))
    with pytest.raises(UserError) as error:
        imported_state(checkpoint_of("p", content), make_model(golden.meta))
    for text in (
        "missing there: hvae_networks.to_q.weight/exp_avg;",
        "unknown here: hvae_networks.stranger, refinenet.loc.weight/max_exp_avg_sq;",
        "hvae_networks.to_k.weight ([2, 3], here [",
    ):
        assert text in str(error.value)


@some_file
def test_what_is_no_checkpoint_is_refused(path):
    content = content_of(golden_arrays.load(path))
    with pytest.raises(UserError, match=r"\(missing there: kl_beta; unknown here: optimizer\)"):
        checkpoint_of("p", {("optimizer" if k == "kl_beta" else k): v for k, v in content.items()})
    with pytest.raises(UserError, match=r"model_opt of p .*missing there: state"):
        checkpoint_of("p", content | {"model_opt": {"param_groups": []}})
    with pytest.raises(UserError, match="0 parameters"):
        checkpoint_of("p", content | {"model_opt": {"param_groups": [], "state": {}}})
    with pytest.raises(UserError, match="missing there: step, model, model_opt, kl_beta"):
        checkpoint_of("p", [1, 2])
    with pytest.raises(UserError, match="it lacks init_slots; see --model"):
        slot_attention_options(checkpoint_of("p", content))


def test_without_pytorch(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"read with PyTorch: install it with pip install '\.\[torch\]'"):
        read_torch_checkpoint("a.pth")


@some_file
def test_files(path, tmp_path):
    torch = pytest.importorskip("torch", reason="reading .pth files needs the extra [torch]")
    content = content_of(golden_arrays.load(path))

    def as_tensors(value):
        if isinstance(value, dict):
            return {key: as_tensors(item) for key, item in value.items()}
        return torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray | np.generic) else value

    torch.save(as_tensors(content), tmp_path / "a.pth")
    read, wanted = read_torch_checkpoint(f"{tmp_path}/a.pth"), checkpoint_of("p", content)
    assert (read.step, read.kl_beta, read.n_updates) == (wanted.step, wanted.kl_beta, wanted.n_updates)
    for name, array in (wanted.weights | wanted.moments).items():
        np.testing.assert_array_equal((read.weights | read.moments)[name], array, err_msg=name)

    torch.save({"step": 1, "model": torch.nn.Linear(2, 2)}, tmp_path / "code.pth")
    (tmp_path / "damaged.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:1000])
    reasons = {"code": "it is damaged, or holds more than tensors", "damaged": ".", "none": "No such file"}
    for name, reason in reasons.items():
        with pytest.raises(UserError, match=f"cannot read .*{name}.pth: .*{reason}") as error:
            read_torch_checkpoint(f"{tmp_path}/{name}.pth")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["a_1", "j_1"])
def test_outputs_are_the_originals(name):
    """The authors' program wrote these files, and what it computes with them."""
    pytest.importorskip("torch", reason="reading .pth files needs the extra [torch]")
    checkpoint = read_torch_checkpoint(str(sample(f"parity/checkpoints/{name}.pth")))
    reference = np.load(sample(f"parity/checkpoints/{name}_ref.npz"), allow_pickle=False)
    meta = json.loads(str(reference["meta"]))
    is_emorl = meta["model"] == "EfficientMORL"
    told = (efficient_morl_options if is_emorl else slot_attention_options)(checkpoint)
    if is_emorl:
        model = make_efficient_morl(
            EMORLConfig(**(meta["net"] | told | {"geco_warm_start": meta["geco_warm_start"]}))
        )
    else:
        model = make_slot_attention(
            SlotAttentionConfig(K=meta["net"]["K"], input_size=meta["net"]["input_size"], **told)
        )
    state = imported_state(checkpoint, model)
    for path, variable in by_path(model).items():
        variable.assign(state.weights[f"{model.name}/{path}"])
    assert state.step == meta["step"]

    images = tf.constant((np.transpose(reference["x"], (0, 2, 3, 1)) + 1.0) / 2.0)  # [B, H, W, 3]
    step = {"step": state.step} if is_emorl else {}
    outputs = model(images, training=True, seed=StoredNoise(reference), **step)
    loss, metrics = model.losses({}, outputs, **step)
    got = {"total_loss": loss, **reference_outputs(outputs)}
    if is_emorl:
        deltas = [metrics[f"norm_delta_lamda_{i}"] for i in range(3)]
        got |= {"nll": metrics["nll"], "kl": metrics["kl"], "deltas": tf.stack(deltas)}
    for key, value in got.items():
        wanted = reference[key]
        atol = golden_arrays.OUTPUT_RTOL * float(np.abs(wanted).max())
        np.testing.assert_allclose(value, wanted, rtol=0, atol=atol, err_msg=key)
