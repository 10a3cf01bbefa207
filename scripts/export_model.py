"""Takes a trained model out of this code base, and checks that what others load answers the same.

    python -m scripts.export_model --snapshot=checkpoints/mnist --out=exported/mnist

--out gets, as far as --formats asks for them,
    model.keras                    the Keras model, for programs that import its package
    saved_model/                   TensorFlow, with the signatures `encode` and `reconstruct`
    encode.onnx, reconstruct.onnx  for ONNX runtimes; needs pip install '.[onnx]'
    export.json                    inputs, outputs, and the largest differences that were found
The number of images is free. SavedModel and ONNX are reloaded in processes that know nothing of this
package.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import absl.logging
from absl import flags

from discovery import UserError

from . import entry_point
from .path_flags import define_path

if TYPE_CHECKING:
    from discovery import TrainableModel
    from discovery.export.exported_model import Exported

FLAGS = flags.FLAGS

define_path("snapshot", "", "Prefix of a snapshot, or a run's folder for its newest one.")
define_path("out", "", "Folder for the exported model.")
flags.DEFINE_list("formats", [], "Of keras, saved_model and onnx; by default all that the model allows.")
flags.DEFINE_integer("n_points", 11, "Points that an exported constellation model takes.", lower_bound=1)
flags.DEFINE_integer(
    "refinement_iters", None, "EfficientMORL: refinements; by default as in training.", lower_bound=0
)

FORMATS = ("keras", "saved_model", "onnx")


def check() -> None:
    """Raises a UserError for flags that can be found wrong without TensorFlow."""
    for name in ("out", "snapshot"):
        if not FLAGS[name].value:
            raise UserError(f"--{name} is missing: {FLAGS[name].help}")
    unknown = [name for name in FLAGS.formats if name not in FORMATS]
    if unknown:
        raise UserError(f"--formats={','.join(unknown)}: choose from {', '.join(FORMATS)}")


def main(_) -> None:
    """Loads the model, writes each format, loads it again and compares."""
    from discovery.export.exported_model import WRITERS, differences

    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    absl.logging.set_verbosity(absl.logging.WARNING)  # TensorFlow reports what it renames in a SavedModel
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
    import tensorflow as tf

    from discovery.export.exported_model import Exported
    from discovery.models_by_name import load_run, package_of_run
    from discovery.snapshots import find_snapshot
    from emorl.efficient_morl import EfficientMORL
    from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder
    from stacked_capsules.image_autoencoder import ImageAutoencoder

    prefix = find_snapshot(snapshot)
    model = load_run(package_of_run(Path(prefix).parent), prefix)
    if isinstance(model, EfficientMORL) and FLAGS.refinement_iters is not None:
        model.config = dataclasses.replace(model.config, refinement_iters=FLAGS.refinement_iters)
    if isinstance(model, ConstellationAutoencoder):
        shapes = {"points": (FLAGS.n_points, 2), "presence": (FLAGS.n_points,)}
    else:
        of_images = isinstance(model, ImageAutoencoder)
        shapes = {"images": model.image_shape if of_images else (model.config.size, model.config.size, 3)}
    return Exported(model, [tf.TensorSpec([None, *shape], name=name) for name, shape in shapes.items()])


def chosen(model: TrainableModel) -> list[str]:
    """Returns the formats to write.

    Raises:
        UserError: the model cannot be written in a format, or what writes it is not installed.
    """
    reason = _no_onnx(model)
    if reason and "onnx" in FLAGS.formats:
        raise UserError(f"--formats=onnx: {reason}")
    if reason and not FLAGS.formats:
        print(f"no ONNX: {reason}")
    return FLAGS.formats or [name for name in FORMATS if name != "onnx" or not reason]


def _no_onnx(model):
    """Returns why there can be no ONNX file of this model, if there can be none."""
    from emorl.efficient_morl import EfficientMORL

    if isinstance(model, EfficientMORL) and model.config.refinement_iters > 0:
        return (
            "it has no operations for gradients, and EfficientMORL's refinement follows the gradient of its "
            "loss; choose saved_model, or --refinement_iters=0 for the model without refinement"
        )
    if not all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnxruntime")):
        return "its libraries are not installed: pip install '.[onnx]'"
    return ""


if __name__ == "__main__":
    entry_point.run(main, check=check)
