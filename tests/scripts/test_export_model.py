"""Models that leave: written, and loaded by programs that know nothing of this code base."""

import dataclasses
import importlib.util
import json
import shutil

import numpy as np
import pytest

import emorl
import stacked_capsules
from discovery.export.exported_model import differences
from stacked_capsules.configuration import ConstellationConfig
from tests.written_runs import write_run

EXPORT = "scripts.export_model"
HAS_ONNX = all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnxruntime"))
needs_onnx = pytest.mark.skipif(not HAS_ONNX, reason="writing ONNX needs the extra [onnx]")
FORMATS = ("keras", "saved_model", *(["onnx"] if HAS_ONNX else []))


def moved(model):
    """Gives the model other weights than initial ones, with which much is symmetric."""
    generator = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight.numpy() + 0.1 * generator.standard_normal(weight.shape).astype(np.float32))
    return model


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A run of an EfficientMORL."""
    folder = tmp_path_factory.mktemp("scenes")
    options = {
        "input_size": (3, 12, 12),
        "K": 2,
        "z_size": 4,
        "image_decoder": "small",
        "refinement_iters": 1,
    }
    model = moved(emorl.build("tetrominoes", **options))
    write_run(folder, "EfficientMORL", model.config, model)
    return folder


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """A run of a constellation model."""
    folder = tmp_path_factory.mktemp("points")
    model = moved(stacked_capsules.build("constellation", n_votes=2))
    write_run(folder, "constellation", dataclasses.replace(ConstellationConfig(), n_votes=2), model)
    return folder


@pytest.mark.slow
def test_images_in_every_format(processes, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    saved = (run / "flags.txt").read_text()
    (run / "flags.txt").write_text(f"{saved}--pixel_likelihood=blocks\n")  # as on most machines
    flags = (f"--snapshot={run}", f"--out={tmp_path}/out", f"--formats={','.join(FORMATS)}")
    ended = processes.run(EXPORT, *flags)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.count("largest relative difference") == len(FORMATS)
    about = json.loads((tmp_path / "out" / "export.json").read_text())
    assert about["inputs"] == {"images": [None, 28, 28, 1]}
    assert about["outputs"]["encode/part_pose"] == [None, 3, 6]
    assert about["outputs"]["reconstruct/reconstruction"] == [None, 28, 28, 1]
    assert about["differences"].keys() == set(FORMATS)
    for found in about["differences"].values():
        assert found.keys() == about["outputs"].keys()
        assert max(difference for name, difference in found.items() if name.startswith("encode")) < 1e-4


@pytest.mark.slow
def test_scenes_leave_with_their_refinements(processes, scenes, tmp_path):
    flags = (f"--snapshot={scenes}", f"--out={tmp_path}/out [1]")
    ended = processes.run(EXPORT, *flags)
    assert (ended.code, ended.stderr) == (0, "")
    assert "no ONNX: it has no operations for gradients" in ended.stdout
    about = json.loads((tmp_path / "out [1]" / "export.json").read_text())
    assert about["differences"].keys() == {"keras", "saved_model"}
    assert about["outputs"]["encode/slots"] == [None, 2, 4]
    assert about["outputs"]["encode/masks"] == [None, 2, 12, 12]
    assert (
        "choose saved_model, or --refinement_iters=0"
        in processes.run(EXPORT, *flags, "--formats=onnx").mistake
    )


@needs_onnx
@pytest.mark.slow
def test_constellations_in_onnx(processes, points, tmp_path):
    ended = processes.run(
        EXPORT, f"--snapshot={points}", f"--out={tmp_path}", "--formats=onnx", "--n_points=5"
    )
    assert (ended.code, ended.stderr) == (0, "")
    about = json.loads((tmp_path / "export.json").read_text())
    assert about["inputs"] == {"points": [None, 5, 2], "presence": [None, 5]}
    assert about["outputs"]["encode/vote_pose"] == [None, 3, 2, 3, 3]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--snapshot={run}", "--out is missing"),
        ("--out={out}", "--snapshot is missing"),
        ("--snapshot={out} --out={out}", "there is no snapshot"),
        (
            "--snapshot={run} --out={out} --formats=keras,tflite",
            "--formats=tflite: choose from keras",
        ),
        ("--snapshot={run} --out={run}/flags.txt/x --formats=keras", "choose another --out"),
    ],
)
def test_mistakes(processes, trained, tmp_path, flags, words):
    places = {"run": trained, "out": tmp_path / "out"}
    assert words in processes.run(EXPORT, *flags.format(**places).split()).mistake


def test_differences_are_noticed():
    wanted = {"a": np.linspace(0.0, 1.0, 1000)}
    assert differences(wanted, wanted) == {"a": 0.0}
    one_pixel = {"a": np.where(np.arange(1000) == 3, 1.0, wanted["a"])}
    assert differences(one_pixel, wanted)["a"] == pytest.approx(1.0, abs=0.01)
    for other in (wanted["a"] + 1e-3, wanted["a"][:-1]):
        with pytest.raises(RuntimeError, match="a is not what the model answers"):
            differences({"a": other}, wanted)
