"""Takes a trained model out of this code base, and checks that what others load answers the same.

    python -m scripts.export_model --snapshot=checkpoints/mnist --out=exported/mnist

--out gets, as far as --formats asks for them,
    model.keras                    the Keras model, for programs that import its package
    saved_model/                   TensorFlow, with the signatures `encode` and `reconstruct`
    encode.onnx, reconstruct.onnx  for ONNX runtimes; needs pip install '.[onnx]'
    export.json                    inputs, outputs, and the largest differences that were found
The number of images is free. SavedModel and ONNX are loaded again in processes that know nothing of this
package.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import absl.logging
import keras
import numpy as np
import tensorflow as tf
from absl import flags

import emorl
from emorl.efficient_morl import EfficientMORL
from protocols import TrainableModel, UserError
from protocols.snapshots import find_snapshot
from scripts import command_line
from scripts.run_package import package_of_run
from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder

FLAGS = flags.FLAGS

flags.DEFINE_string("snapshot", "", "Prefix of a snapshot, or a run's folder for its newest one.")
flags.DEFINE_string("out", "", "Folder for the exported model.")
flags.DEFINE_list("formats", [], "Of keras, saved_model and onnx; by default all that the model allows.")
flags.DEFINE_integer("n_points", 11, "Points that an exported constellation model takes.", lower_bound=1)
flags.DEFINE_integer(
    "refinement_iters", None, "EfficientMORL: refinements; by default as in training.", lower_bound=0
)

QUESTIONS = ("encode", "reconstruct")
Answers = dict[str, np.ndarray]

#: An answer is the same if it differs by no more than this, relative to its largest value, ...
TOLERANCE = 1e-4
#: ... but for this share of its values: a pixel may show the second of two templates that are equally likely.
MAY_DIFFER = 5e-3


class Exported(NamedTuple):
    """A model as others see it.

    Attributes:
        model: the Keras model.
        inputs: names and shapes of what it takes, the first axis free.
    """

    model: TrainableModel
    inputs: list[tf.TensorSpec]

    def answer(self, question: str) -> Callable[..., dict[str, tf.Tensor]]:
        """Returns a function from the inputs to named tensors."""

        def named(*inputs):
            answer = getattr(self.model, question)(*inputs)
            return answer._asdict() if isinstance(answer, tuple) else {"reconstruction": answer}

        return named

    def answers(self, inputs: Answers) -> Answers:
        """Asks every question; returns `<question>/<name>` -> answer."""
        return {
            f"{question}/{name}": value.numpy()
            for question in QUESTIONS
            for name, value in self.answer(question)(*inputs.values()).items()
        }

    def examples(self, n: int) -> Answers:
        """Returns n inputs to try it with: noise, of which every point is present."""
        generator = np.random.default_rng(0)
        inputs = {spec.name: generator.random([n, *spec.shape[1:]]) for spec in self.inputs}
        if "presence" in inputs:
            inputs["presence"] = np.ones_like(inputs["presence"])
        return {name: array.astype(np.float32) for name, array in inputs.items()}


class Asked(keras.Model):
    """One question to a model, as Keras' exporter takes it."""

    def __init__(self, exported: Exported, question: str):
        super().__init__()
        self.model = exported.model
        self._answer = exported.answer(question)
        self.built = True  # all weights are the model's

    def call(self, inputs):
        """Answers with a dict of tensors."""
        return self._answer(*(inputs if isinstance(inputs, list | tuple) else [inputs]))


def main(_) -> None:
    """Loads the model, writes each format, loads it again and compares."""
    if not FLAGS.out:
        raise UserError(f"--out is missing: {FLAGS['out'].help}")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    absl.logging.set_verbosity(absl.logging.WARNING)  # TensorFlow tells what it renames in a SavedModel
    exported = opened(FLAGS.snapshot)
    formats = chosen(exported.model)
    inputs = exported.examples(3)
    wanted = exported.answers(inputs)
    folder = Path(FLAGS.out)
    report = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in formats:
            write, reload = WRITERS[name]
            path = write(exported, folder)
            report[name] = differences(reload(path, inputs), wanted)
            print(f"{path}: {name}, largest relative difference {max(report[name].values()):.2g}")
        about = {
            "inputs": {spec.name: spec.shape.as_list() for spec in exported.inputs},
            "outputs": {name: [None, *answer.shape[1:]] for name, answer in wanted.items()},
            "differences": report,
        }
        (folder / "export.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write to {folder}: {reason}; choose another --out") from None


def opened(snapshot: str) -> Exported:
    """Loads the model of a run of either package.

    Raises:
        UserError: there is none.
    """
    if not snapshot:
        raise UserError(f"--snapshot is missing: {FLAGS['snapshot'].help}")
    prefix = find_snapshot(snapshot)
    package = package_of_run(Path(prefix).parent)
    model = package.load_run(prefix)
    if isinstance(model, EfficientMORL) and FLAGS.refinement_iters is not None:
        model.config = dataclasses.replace(model.config, refinement_iters=FLAGS.refinement_iters)
    if isinstance(model, ConstellationAutoencoder):
        shapes = {"points": (FLAGS.n_points, 2), "presence": (FLAGS.n_points,)}
    else:
        of_scenes = package is emorl
        shapes = {"images": (model.config.size, model.config.size, 3) if of_scenes else model.image_shape}
    return Exported(model, [tf.TensorSpec([None, *shape], name=name) for name, shape in shapes.items()])


def chosen(model: TrainableModel) -> list[str]:
    """Returns the formats to write.

    Raises:
        UserError: the model cannot be written so, or what writes it is not installed.
    """
    unknown = [name for name in FLAGS.formats if name not in WRITERS]
    if unknown:
        raise UserError(f"--formats={','.join(unknown)}: choose of {', '.join(WRITERS)}")
    reason = _no_onnx(model)
    if reason and "onnx" in FLAGS.formats:
        raise UserError(f"--formats=onnx: {reason}")
    if reason and not FLAGS.formats:
        print(f"no ONNX: {reason}")
    return FLAGS.formats or [name for name in WRITERS if name != "onnx" or not reason]


def write_keras(exported: Exported, folder: Path) -> Path:
    """Writes the Keras model."""
    exported.model.save(folder / "model.keras")
    return folder / "model.keras"


def write_saved_model(exported: Exported, folder: Path) -> Path:
    """Writes TensorFlow's format, with a signature for each question."""
    archive = keras.export.ExportArchive()
    archive.track(exported.model)
    for question in QUESTIONS:
        archive.add_endpoint(question, exported.answer(question), input_signature=exported.inputs)
    path = folder / "saved_model"
    with tempfile.TemporaryDirectory() as plain:  # TensorFlow takes `[1]` in the path for a pattern
        archive.write_out(f"{plain}/saved_model", verbose=False)
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(f"{plain}/saved_model", path)
    return path


def write_onnx(exported: Exported, folder: Path) -> Path:
    """Writes one ONNX file for each question."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = exported.inputs if len(exported.inputs) == 1 else [exported.inputs]
    for question in QUESTIONS:
        asked = Asked(exported, question)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the converter's, about names of numpy
            path = str(folder / f"{question}.onnx")
            asked.export(path, format="onnx", input_signature=signature, verbose=False)
    return folder


def reload_keras(path: Path, inputs: Answers) -> Answers:
    """Loads the Keras model and asks it."""
    return Exported(keras.models.load_model(path), []).answers(inputs)


def reload_elsewhere(path: Path, inputs: Answers) -> Answers:
    """Loads the other formats in a process that cannot import this package, and asks it."""
    program = Path(__file__).with_name("reload_exported.py")
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/inputs.npz", **inputs)
        plain = Path(folder, "exported")  # as above
        plain.symlink_to(path.resolve())
        command = [sys.executable, "-I", str(program), str(plain)]
        command += [f"{folder}/inputs.npz", f"{folder}/outputs.npz"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise RuntimeError(f"{path} cannot be loaded: {ended.stderr}")
        with np.load(f"{folder}/outputs.npz", allow_pickle=False) as outputs:
            return dict(outputs)


WRITERS = {
    "keras": (write_keras, reload_keras),
    "saved_model": (write_saved_model, reload_elsewhere),
    "onnx": (write_onnx, reload_elsewhere),
}


def differences(got: Answers, wanted: Answers) -> dict[str, float]:
    """Returns the largest difference of each answer, relative to its largest value.

    Raises:
        RuntimeError: an answer is not the same.
    """
    found = {}
    for name, values in wanted.items():
        if got[name].shape != values.shape:
            raise RuntimeError(f"{name} is not what the model answers: {got[name].shape}, not {values.shape}")
        off = np.abs(got[name] - values) / max(float(np.abs(values).max()), 1e-30)
        if (off > TOLERANCE).mean() > MAY_DIFFER:
            raise RuntimeError(f"{name} is not what the model answers: {off.max():.2g} off")
        found[name] = float(off.max())
    return found


def _no_onnx(model):
    """Says why there can be no ONNX file of this model, if there can be none."""
    if isinstance(model, EfficientMORL) and model.config.refinement_iters > 0:
        return (
            "it has no operations for gradients, and EfficientMORL's refinement follows the gradient of its "
            "loss; choose saved_model, or --refinement_iters=0 for the model without refinement"
        )
    if not all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnxruntime")):
        return "its libraries are not installed: pip install '.[onnx]'"
    return ""


if __name__ == "__main__":
    command_line.run(main)
