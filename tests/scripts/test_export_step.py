"""Steps that leave: exported, taken by JAX alone, brought back, and compared with the ordinary training."""

import importlib.util
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from discovery.snapshots import read_snapshot
from tests.scripts.processes import REPO
from tests.scripts.small_configurations import command
from tests.scripts.test_configs import CONFIGS, SCAE
from tests.scripts.tiny_runs import SCENES

EXPORT, CONVERT = "scripts.export_step", "scripts.convert_checkpoint"
needs_jax = pytest.mark.skipif(
    not importlib.util.find_spec("jax"), reason="the portable step needs the extra [jax]"
)
#: Those of a run, and those before the snapshot that an export begins with.
N_STEPS, N_BEGUN = 24, 4

EVERY_STEP = ("--ema=0", "--run_updates_every=1", "--report_loss_steps=1", "--summary_steps=20")
#: What trains: the script, its flags, and the end of their names.
SYSTEMS = {
    "images": (
        "scripts.train",
        (
            *("--model=scae", "--dataset=digits", "--canvas_size=30", "--n_part_caps=2", "--n_obj_caps=2"),
            *("--template_size=3", "--n_part_special_features=2", "--batch_size=4", "--lr=3e-5"),
            *("--colorize_templates", "--use_alpha_channel", "--epoch_order=sort", *EVERY_STEP),
            f"--max_train_steps={N_STEPS}",
        ),
    ),
    # Thresholded presences and the winners of points jump where rounding decides, and losses of them too.
    "points": (
        "scripts.train",
        (
            *(f"--flagfile={REPO}/configs/constellation.flags", "--capsule_presence=soft"),
            *("--sparsity_weight=0", *EVERY_STEP, f"--max_train_steps={N_STEPS}"),
        ),
    ),
    "scenes": (
        "scripts.train_emorl",
        (
            *("--model=EfficientMORL", *SCENES, "--input_size=3,8,8", "--data_path={scenes}", "--ema=0"),
            *("--tensorboard_freq=1", "--geco_reconstruction_target=-1.2", "--geco_warm_start=5"),
            *(f"--refinement_curriculum=-1:1,{N_STEPS - 2}:0", f"--iters={N_STEPS}", "--use_scheduler"),
        ),
    ),
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A file of scenes, small enough."""
    path = tmp_path_factory.mktemp("scenes") / "scenes.h5"
    with h5py.File(path, "w") as file:
        for seed, split in enumerate(("train", "test")):
            file[f"{split}/imgs"] = np.random.default_rng(seed).integers(0, 256, (7, 8, 8, 3), np.uint8)
    return path


def train_elsewhere(folder, *flags):
    """Runs the program in the exported folder, in a process that can import nothing of this code base."""
    program = "import runpy, sys; sys.modules['tensorflow'] = None; sys.argv = sys.argv[1:]; "
    program += "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-I", "-c", program, f"{folder}/portable_train.py", str(folder), *flags]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def losses(folder, name, begun=0):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, N_STEPS + 1))[begun:]
    return np.array([line[name] for line in lines])


@needs_jax
@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_jax_follows_tensorflow(processes, scenes, tmp_path, system):
    """From the first step or, where points are learned, from an ordinary run's snapshot."""
    script, flags = SYSTEMS[system]
    flags = [flag.format(scenes=scenes) for flag in flags if not flag.startswith("--name")]
    exported, ordinary = tmp_path / "exported", tmp_path / "ordinary"
    run = (*flags, "--name=ordinary", f"--logdir={tmp_path}/{{name}}")
    begun, own = 0, ("--inner_steps=1",)  # on CPUs convolutions within loops are slow
    if system == "points":  # a call of 16 steps, and one of fewer
        run = (*run, f"--snapshot_steps={N_BEGUN}", "--snapshots_to_keep=0")
        begun, own = N_BEGUN, ("--inner_steps=16", f"--snapshot={ordinary}/model.ckpt-{N_BEGUN}")
    ended = processes.run(script, *run)
    assert ended.code == 0, ended.stderr
    ended = processes.run(EXPORT, *flags, *own, f"--out={exported}")
    assert ended.code == 0, ended.stderr
    if begun:
        with np.load(exported / "initial.npz", allow_pickle=False) as initial:
            initial, saved = dict(initial), read_snapshot(f"{ordinary}/model.ckpt-{begun}")
        for name, array in initial.items():
            np.testing.assert_array_equal(array, saved[name])
        assert initial["global_step"] == begun
    train_elsewhere(exported, "--report_steps=1")
    source = exported / "run" / f"step-{N_STEPS}.npz"
    ended = processes.run(CONVERT, f"--source={source}", f"--out={tmp_path}/back")
    assert ended.code == 0, ended.stderr

    want = losses(ordinary, "train/loss")[begun:]
    np.testing.assert_allclose(losses(exported / "run", "loss", begun), want, rtol=1e-4)
    assert_same_weights(read_snapshot(f"{tmp_path}/back"), read_snapshot(str(ordinary)))

    if system == "points":
        more = (f"--flagfile={tmp_path}/back/flags.txt", f"--max_train_steps={N_STEPS + 1}")
        ended = processes.run(script, *more)
        assert ended.code == 0, ended.stderr
        assert f"resumes from step {N_STEPS}" in ended.stdout


@needs_jax
@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in CONFIGS])
def test_every_configuration_leaves(processes, random_data, tmp_path, name):
    if not os.environ.get("ALL_CONFIGS"):
        pytest.skip("takes long: set ALL_CONFIGS=1 to export every configuration")
    _, *flags = command(name, random_data)
    last = "--max_train_steps=3" if name in SCAE else "--iters=3"
    phases = () if name in SCAE else ("--refinement_curriculum=-1:1,2:2",)
    own = (last, *phases, "--inner_steps=1", f"--name={name}", f"--out={tmp_path}/exported")
    ended = processes.run(EXPORT, *flags, *own)
    assert ended.code == 0, ended.stderr
    train_elsewhere(tmp_path / "exported", "--report_steps=1")
    lines = (tmp_path / "exported" / "run" / "metrics.jsonl").read_text().splitlines()
    assert np.isfinite([json.loads(line)["loss"] for line in lines]).tolist() == [True] * 3


def assert_same_weights(got, want):
    """Compares them together: both optimizers make steps even of a single gradient's rounding error."""
    assert got.keys() == {name for name in want if not name.startswith("report/")}
    weights = [name for name in want if {f"{name}/momentum", f"{name}/adam_m"} & want.keys()]
    error, norm = (
        np.linalg.norm(np.concatenate([np.ravel(values[name]) for name in weights]))
        for values in ({name: got[name] - want[name] for name in weights}, want)
    )
    assert error <= 1e-4 * norm


@needs_jax
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--model=scae", "--out is missing"),
        ("--out={out}", "--model=: give one of scae, constellation, EfficientMORL, SlotAttention"),
        ("--model=scae --out={taken}", "holds an exported step already"),
        ("--model=scae --out={out} --platforms=cpu,vax", "choose from cpu, cuda, tpu"),
        ("--model=scae --out={out} --strategy=mirrored", "a portable step has one replica"),
        ("--model=scae --out={out} --inner_steps=0", "inner_steps"),
        ("--model=EfficientMORL --out={out} --dataset=clevr6", "--dataset=clevr6 has no generator"),
        ("--model=EfficientMORL --out={out} --checkpoint=a", "an export begins with --snapshot"),
    ],
)
def test_mistakes(processes, tmp_path, flags, words):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "manifest.json").touch()
    places = {"out": tmp_path / "out", "taken": tmp_path / "taken"}
    assert words in processes.run(EXPORT, *flags.format(**places).split()).mistake
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("step-1.npz", b"", "damaged, or not a snapshot of portable_train.py"),
        ("step-1.npz", None, "cannot be opened"),
        ("step-1.npz.part1of2", b"a", "step-1.npz, with all parts beside it"),
    ],
)
def test_what_is_no_snapshot_is_not_brought_back(processes, tmp_path, name, content, words):
    source = tmp_path / name
    if content is not None:
        source.write_bytes(content)
    assert words in processes.run(CONVERT, f"--source={source}", f"--out={tmp_path}/out").mistake
    assert not (tmp_path / "out").exists()
