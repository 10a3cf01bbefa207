"""Loads an exported model as other programs do, and asks it: this file imports nothing from the package.

python discovery/export/reload_exported.py exported/saved_model inputs.npz outputs.npz     needs tensorflow
python discovery/export/reload_exported.py exported             inputs.npz outputs.npz     needs onnxruntime

inputs.npz holds the model's inputs by name; outputs.npz gets its answers as `encode/<name>` and
`reconstruct/<name>`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

QUESTIONS = ("encode", "reconstruct")
Arrays = dict[str, np.ndarray]


def from_saved_model(path: Path, inputs: Arrays) -> Iterator[tuple[str, Arrays]]:
    """Asks each signature of a SavedModel."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    for question in QUESTIONS:
        answers = loaded.signatures[question](**{name: tf.constant(array) for name, array in inputs.items()})
        yield question, {name: answer.numpy() for name, answer in answers.items()}


def from_onnx(folder: Path, inputs: Arrays) -> Iterator[tuple[str, Arrays]]:
    """Asks each ONNX file of a folder."""
    import onnxruntime

    for question in QUESTIONS:
        session = onnxruntime.InferenceSession(str(folder / f"{question}.onnx"))
        names = [output.name for output in session.get_outputs()]
        yield question, dict(zip(names, session.run(names, inputs), strict=True))


def main(path: str, inputs_path: str, outputs_path: str) -> None:
    """Reads inputs, writes answers."""
    with np.load(inputs_path, allow_pickle=False) as file:
        inputs = dict(file)
    load = from_saved_model if (Path(path) / "saved_model.pb").exists() else from_onnx
    answers = {
        f"{question}/{name}": answer
        for question, named in load(Path(path), inputs)
        for name, answer in named.items()
    }
    ours = {"emorl", "discovery", "stacked_capsules"} & set(sys.modules)
    assert not ours, f"{ours} should not be needed"
    np.savez(outputs_path, **answers)


if __name__ == "__main__":
    if len(sys.argv) != 4 or {"-h", "--help"} & set(sys.argv):
        print(__doc__.strip())
        sys.exit(0 if {"-h", "--help"} & set(sys.argv) else 1)
    main(*sys.argv[1:])
