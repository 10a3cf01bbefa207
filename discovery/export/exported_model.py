"""Writes a model in formats that other programs load, reloads it as they do, and compares the answers."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from discovery import TrainableModel

QUESTIONS = ("encode", "reconstruct")
Answers = dict[str, np.ndarray]

#: An answer is the same if it differs by no more than this, relative to its largest value, ...
TOLERANCE = 1e-4
#: ... but for this share of its values: a pixel may show the second of two templates that are equally likely.
MAY_DIFFER = 5e-3


class Exported(NamedTuple):
    """A model as other programs see it.

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
        """Returns n inputs to try it with: noise, with every point present."""
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
        self.built = True  # the model has all weights

    def call(self, inputs):
        """Answers with a dict of tensors."""
        return self._answer(*(inputs if isinstance(inputs, list | tuple) else [inputs]))


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
            warnings.simplefilter("ignore")  # the converter's, about names in numpy
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
