"""Imports the published program's TensorFlow 1 checkpoints: options that shapes imply, weights, RMSProp."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from discovery import TrainableModel, UserError
from discovery.imported_state import ImportedState, OriginalProgram
from discovery.named_shapes import differences
from discovery.snapshots import GLOBAL_STEP, read_snapshot
from discovery.training.optimizers import RMSProp
from stacked_capsules.tf1_variables import DUMMY_VOTE, model_variables

#: Suffixes of RMSProp's slots: mean squares and momenta.
MEAN_SQUARE, MOMENTUM = "RMSProp", "RMSProp_1"

#: Moving averages for reports, which the original's Saver stores too. Those of a second report are numbered;
#: each comes with `biased` and `local_step`.
_AVERAGE = re.compile(r"(^|/)ExponentialMovingAverage(_\d+)?(/(biased|local_step))?$")


class TF1Checkpoint(NamedTuple):
    """The contents of a checkpoint.

    Attributes:
        prefix: of its files.
        arrays: by the original's names; without moving averages of reports, which no step depends on.
        n_averages: number of arrays of such averages.
    """

    prefix: str
    arrays: dict[str, np.ndarray]
    n_averages: int

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of an array that the model must have.

        Raises:
            UserError: there is none.
        """
        if name not in self.arrays:
            raise UserError(
                f"{self.prefix} is not a checkpoint of such a model: it lacks {name}{self._hint(name)}"
            )
        return self.arrays[name].shape

    def _hint(self, name: str) -> str:
        """Says under which other name an array is there, if it is."""
        other = next((other for other in self.arrays if other.endswith(f"/{name}")), None)
        return (
            f", but has {other}: save it without the scope {other[: -len(name)]}"
            if other
            else "; see --model"
        )


def read_tf1_checkpoint(prefix: str) -> TF1Checkpoint:
    """Reads a checkpoint.

    Raises:
        UserError: it does not exist or is damaged.
    """
    arrays = read_snapshot(prefix)
    kept = {name: array for name, array in arrays.items() if not _AVERAGE.search(name)}
    return TF1Checkpoint(prefix, kept, len(arrays) - len(kept))


def scae_options(checkpoint: TF1Checkpoint) -> dict[str, Any]:
    """Returns the fields of `SCAEConfig` that an image model's shapes imply.

    They do not imply `canvas_size`, `cnn_strides`, nonlinearities, or how losses are formed and weighted.

    Raises:
        UserError: it is not a checkpoint of an image model.
    """
    names, shape = checkpoint.arrays, checkpoint.shape
    decoder = "template_based_image_decoder"
    _, n_parts, template_size, _, n_channels = shape(f"{decoder}/templates")
    _, n_objects, _, _ = shape("image_capsule/capsule_layer/cpr_static")
    return {
        "n_channels": n_channels,
        "n_classes": shape("image_autoencoder/classification_probe/linear/w")[1],
        "template_size": template_size,
        "n_part_caps": n_parts,
        "colorize_templates": f"{decoder}/mlp/linear_0/w" in names,
        "use_alpha_channel": f"{decoder}/templates_alpha" in names,
        "learn_output_scale": f"{decoder}/scale" in names,
        "n_obj_caps": n_objects,
        "n_obj_caps_params": shape("image_capsule/capsule_layer/batch_mlp/batch_linear_1/weights")[-1],
        **_encoder_options(checkpoint, n_parts, template_size**2 * n_channels),
    }


def constellation_options(checkpoint: TF1Checkpoint) -> dict[str, Any]:
    """Returns the fields of `ConstellationConfig` that a constellation model's shapes imply.

    Raises:
        UserError: it is not a checkpoint of a constellation model with capsules.
    """
    scope = "constellation_capsule/capsule_layer"
    _, n_caps, n_votes, _ = checkpoint.shape(f"{scope}/cpr_static")
    n_params = checkpoint.shape(f"{scope}/batch_mlp/batch_linear_1/weights")[-1]
    return {"n_caps": n_caps, "n_votes": n_votes, "n_caps_params": n_params, "decoder": "capsule"}


def imported_state(checkpoint: TF1Checkpoint, model: TrainableModel) -> ImportedState:
    """Arranges a checkpoint for a built model; one with only weights and their step gives no slots.

    Raises:
        UserError: variables or slots are missing or left over, or have other shapes; all are listed.
    """
    names, arrays = model_variables(model), checkpoint.arrays
    stored = [name for name in names if any(f"{name}/{kind}" in arrays for kind in (MEAN_SQUARE, MOMENTUM))]
    with_gradient = {name: v for name, v in names.items() if name != DUMMY_VOTE}
    slotted = {} if not stored else names if DUMMY_VOTE in stored else with_gradient
    sources = {"": names, f"/{MEAN_SQUARE}": slotted, f"/{MOMENTUM}": slotted}
    _check_optimizer(checkpoint, names)
    _check(checkpoint, {f"{name}{end}": v for end, part in sources.items() for name, v in part.items()})

    values = {}
    for end, part in sources.items():
        values[end] = {v.variable.path: np.zeros(v.variable.shape, np.float32) for v in part.values()}
        for name, place in part.items():
            place.put(values[end][place.variable.path], arrays[name + end])
    slots = {kind: values[f"/{kind}"] for kind in (MEAN_SQUARE, MOMENTUM)}
    return ImportedState(int(arrays[GLOBAL_STEP]), values[""], slots)


def _encoder_options(checkpoint, n_parts, template_values):
    """Returns how parts are encoded and fed to the object encoder: each is 6 + F + 1 numbers, or one more."""
    scope = "capsule_image_encoder"
    if f"{scope}/linear/w" in checkpoint.arrays:
        n_outputs, kinds = checkpoint.shape(f"{scope}/linear/w")[-1], {"linear": 7}
    else:
        n_outputs, kinds = checkpoint.shape(f"{scope}/conv_2d/w")[-1], {"conv_att": 8, "conv": 7}
    seen = checkpoint.shape("set_transformer/linear/w")[0]  # numbers per part that the object encoder sees
    for feed_templates in (True, False):
        n_features = seen - 7 - feed_templates * template_values
        for encoder_type, others in kinds.items():
            if n_features >= 0 and n_outputs == n_parts * (n_features + others):
                return {
                    "n_part_special_features": n_features,
                    "encoder_type": encoder_type,
                    "feed_templates": feed_templates,
                }
    raise UserError(
        f"{checkpoint.prefix} fits no image model: {n_outputs} outputs of the part encoder for {n_parts} "
        f"parts, of which the object encoder sees {seen} numbers each"
    )


def _check_optimizer(checkpoint, names):
    slots = {name.rpartition("/")[2] for name in checkpoint.arrays if name.rpartition("/")[0] in names}
    others = ", ".join(sorted(slots - {MEAN_SQUARE, MOMENTUM}))
    if others:
        raise UserError(
            f"{checkpoint.prefix} is of another optimizer than RMSProp: it has slots named {others}; "
            f"save its weights and {GLOBAL_STEP} alone, as tf.train.Saver does of a list of variables"
        )


def _check(checkpoint, places):
    there = {name: _form(array.shape, array.dtype) for name, array in checkpoint.arrays.items()}
    here = {GLOBAL_STEP: "int64 []"}
    for name, place in places.items():
        expected = place.take(np.empty(place.variable.shape, np.float32)).shape
        found = checkpoint.arrays[name].shape if name in checkpoint.arrays else ()
        same = [n for n in found if n != 1] == [n for n in expected if n != 1]
        here[name] = _form(found if same else expected, np.float32)
    lists = differences(there, here)
    if lists:
        raise UserError(
            f"{checkpoint.prefix} does not fit the model that the flags describe ({lists}): set the flags "
            "that shapes do not imply as they were in training"
        )


def _form(shape, dtype):
    return f"{'' if dtype == np.float32 else f'{np.dtype(dtype).name} '}{list(shape)}"


IMAGE_PROGRAM = OriginalProgram(
    read=read_tf1_checkpoint,
    options=scae_options,
    imported_state=imported_state,
    optimizer=RMSProp(epsilon=1.0),
    slots={MEAN_SQUARE: "rms", MOMENTUM: "momentum"},
    undetermined=(
        *("canvas_size", "cnn_strides", "template_nonlin", "color_nonlin", "prep"),
        *("vote_type", "pres_type"),
    ),
)

CONSTELLATION_PROGRAM = IMAGE_PROGRAM._replace(
    options=constellation_options, undetermined=(), implied={"dataset": "constellation"}
)
