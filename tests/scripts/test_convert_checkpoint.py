"""Imported checkpoints, as a user makes, scores and trains on them."""

import json

import numpy as np
import pytest

import emorl
from discovery.snapshots import read_snapshot
from tests.parity import golden_arrays
from tests.parity.tf1_files import STEP, write_tf1_checkpoint
from tests.parity.torch_files import content_of

CONVERT = "scripts.convert_checkpoint"


def golden(family, **config):
    """The first golden file with these options."""
    for path in golden_arrays.golden_files(family):
        file = golden_arrays.load(path)
        if config.items() <= file.meta["config"].items():
            return file
    return pytest.skip(f"no golden file with {config}")


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """Prefix of a checkpoint of a constellation model."""
    prefix = tmp_path_factory.mktemp("points") / "model.ckpt-7"
    return write_tf1_checkpoint(golden("scae", model="constellation"), prefix)


@pytest.mark.slow
def test_constellations(processes, points, tmp_path):
    out = tmp_path / "{a} run"
    flags = ("--model=constellation", f"--source={points}", f"--out={out}", "--batch_size=4")
    ended = processes.run(CONVERT, *flags)
    assert (ended.code, ended.stderr) == (0, "")
    assert "determined by it: --n_caps=3 --n_votes=4 --n_caps_params=32 --decoder=capsule\n" in ended.stdout
    assert "left behind: 6 arrays of moving averages of reports\n" in ended.stdout
    arrays = read_snapshot(f"{out}/model.ckpt-{STEP}")
    weights = {name for name in arrays if f"{name}/rms" in arrays}
    assert arrays.keys() == {"global_step"} | {n + end for n in weights for end in ("", "/rms", "/momentum")}
    for name in weights:
        np.testing.assert_array_equal(arrays[f"{name}/rms"], np.square(arrays[name]))
        np.testing.assert_array_equal(arrays[f"{name}/momentum"], np.float32(-0.01) * arrays[name])

    ended = processes.run("scripts.eval_constellation", f"--snapshot={out}", "--n_examples=8")
    assert ended.code == 0, ended.stderr
    assert (
        json.loads((out / "eval" / f"eval_constellation-{STEP}.n_examples=8.json").read_text())["step"]
        == STEP
    )
    trained = processes.run(
        *("scripts.train", f"--flagfile={out}/flags.txt", f"--max_train_steps={STEP + 1}", "--lr=0"),
        "--report_loss_steps=1",
    )
    assert trained.code == 0, trained.stderr
    assert f"resumes from step {STEP}" in trained.stdout
    after = read_snapshot(f"{out}/model.ckpt-{STEP + 1}")
    name = next(name for name in weights if name.endswith("static_relations"))
    assert (after[f"{name}/rms"] != arrays[f"{name}/rms"]).any()
    np.testing.assert_allclose(after[f"{name}/momentum"], 0.9 * arrays[f"{name}/momentum"], rtol=1e-6)


@pytest.mark.slow
def test_images(processes, tmp_path):
    plain = golden("scae", model="scae", canvas_size=28, colorize_templates=False)
    source = write_tf1_checkpoint(plain, tmp_path / "model.ckpt-7")
    flags = ("--model=scae", f"--source={source}", f"--out={tmp_path}/run", "--dataset=digits")
    ended = processes.run(CONVERT, *flags)
    assert (ended.code, ended.stderr) == (0, "")
    assert "undetermined, so by default: --canvas_size=28 --cnn_strides=2,2,1,1 " in ended.stdout
    arrays = read_snapshot(f"{tmp_path}/run")
    without_gradient = "image_autoencoder/object_decoder/likelihood/dummy_vote"
    assert (arrays[f"{without_gradient}/rms"] == 1.0).all()
    assert (arrays[f"{without_gradient}/momentum"] == 0.0).all()


@pytest.mark.slow
def test_slots(processes, tmp_path):
    torch = pytest.importorskip("torch", reason="reading .pth files needs the extra [torch]")
    net = golden("emorl", model="EfficientMORL", mode="eval")
    content = content_of(net, kl_beta=0.5)
    content["model"] = {f"module.{n}": torch.from_numpy(np.array(w)) for n, w in content["model"].items()}
    for slot in content["model_opt"]["state"].values():
        slot |= {kind: torch.from_numpy(np.array(array)) for kind, array in slot.items()}
    torch.save(content, tmp_path / "a.pth")
    options = net.meta["config"]["net"]
    size = ",".join(map(str, options["input_size"]))
    flags = (
        f"--source={tmp_path}/a.pth",
        f"--K={options['K']}",
        f"--input_size={size}",
    )
    ended = processes.run(CONVERT, "--model=emorl", *flags, f"--out={tmp_path}/run")
    assert (ended.code, ended.stderr) == (0, "")
    assert "--kl_beta_init=0.5\n" in ended.stdout
    arrays = read_snapshot(f"{tmp_path}/run")
    assert arrays["efficient_morl/geco_beta"] == content["model"]["module.geco_beta"].numpy()
    kernel = "efficient_morl/prior/mean/kernel"
    np.testing.assert_array_equal(arrays[f"{kernel}/adam_v"], np.float32(3.0) * arrays[kernel])
    model = emorl.load_run(tmp_path / "run")
    assert (model.config.kl_beta_init, model.config.K) == (0.5, options["K"])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--model=cat --K=4", "--model=cat: give one of scae, constellation, emorl, slot_attention"),
        (
            "--model=VAE --source={points} --out={out}",
            "--model=VAE: has no original program; --source must be a .npz file",
        ),
        ("--source={points} --out={out}", "--model=: give one of"),
        ("--model=constellation --out={out}", "--source is missing"),
        ("--model=constellation --source={points}", "--out is missing"),
        ("--model=constellation --source={points}x --out={out}", "there is no snapshot"),
        ("--model=constellation --source={points} --out={out} --n_caps=4", "--n_caps=4 (3 there)"),
        ("--model=constellation --source={points} --out={out} --what=4", "Unknown command line flag"),
        ("--model=scae --source={points} --out={out}", "it lacks template_based_image_decoder/templates"),
        ("--model=constellation --source={points} --out={taken}", "holds a run already"),
        ("--model=emorl --source={points}.pth --out={out}", ".pth"),
    ],
)
def test_mistakes_change_nothing(processes, trained, points, tmp_path, flags, words):
    before = sorted(trained.iterdir())
    places = {"points": points, "out": tmp_path / "out", "taken": trained}
    assert words in processes.run(CONVERT, *flags.format(**places).split()).mistake
    assert not (tmp_path / "out").exists()
    assert sorted(trained.iterdir()) == before
