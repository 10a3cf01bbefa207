"""Imports the authors' `.pth` files: options that shapes imply, weights, Adam's moments, the KL's weight."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from discovery import TrainableModel, UserError
from discovery.imported_state import ImportedState, OriginalProgram
from discovery.named_shapes import differences
from discovery.training.optimizers import Adam
from emorl.torch_weights import keras_weights, newest_names, torch_shapes

#: Adam's moments, first and second.
MOMENTS = ("exp_avg", "exp_avg_sq")

_MEMBERS = ("step", "model", "model_opt", "kl_beta")
_DECODERS = {6: "small", 8: "iodine", 10: "big"}  # by the number of the last convolution
_WITHOUT_GRADIENT = ("geco_C_ema", "geco_beta")


class TorchCheckpoint(NamedTuple):
    """The contents of a file, under the newest names.

    Attributes:
        path: of the file.
        step: the training step after which it was written.
        kl_beta: weight of the KL.
        weights: by name.
        moments: "exp_avg" and "exp_avg_sq", of each weight that has them, as `<name>/exp_avg`.
        n_updates: how often Adam had updated the weights; a single number, if all is well.
    """

    path: str
    step: int
    kl_beta: float
    weights: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]
    n_updates: set[int]

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of a weight that the model must have.

        Raises:
            UserError: there is none.
        """
        if name not in self.weights:
            raise UserError(f"{self.path} is not a checkpoint of such a model: it lacks {name}; see --model")
        return self.weights[name].shape


def read_torch_checkpoint(path: str) -> TorchCheckpoint:
    """Reads a file as tensors and numbers only; nothing in it is executed.

    Raises:
        UserError: PyTorch is not installed, or the file is missing, damaged or not such a checkpoint.
    """
    if importlib.util.find_spec("torch") is None:
        raise UserError(f"{path} can only be read with PyTorch: install it with pip install '.[torch]'")
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds, with several lines of advice
        reason = getattr(error, "strerror", None) or str(error).strip().split("\n")[0]
        if reason.startswith("Weights only load failed"):
            reason = "it is damaged, or holds more than tensors and numbers, and nothing else is read"
        raise UserError(f"cannot read {path}: {reason}") from None
    return checkpoint_of(path, _as_arrays(content))


def checkpoint_of(path: str, content: Any) -> TorchCheckpoint:
    """Sorts the contents of a file.

    Args:
        path: for messages.
        content: the file's contents, with arrays instead of tensors.

    Raises:
        UserError: parts are missing or left over.
    """
    _check_members(path, content, _MEMBERS)
    _check_members(f"model_opt of {path}", content["model_opt"], ("state", "param_groups"))
    names = newest_names(content["model"])
    slots = content["model_opt"]["state"]
    moments, n_updates = {}, set()
    for number, name in _parameters(path, content).items():
        if name in names and number in slots:
            slot = dict(slots[number])
            n_updates.add(int(slot.pop("step", -1)))
            moments |= {f"{names[name]}/{kind}": array for kind, array in slot.items()}
    weights = {newest: content["model"][name] for name, newest in names.items()}
    step, kl_beta = int(content["step"]), float(content["kl_beta"])
    return TorchCheckpoint(path, step, kl_beta, weights, moments, n_updates)


def efficient_morl_options(checkpoint: TorchCheckpoint) -> dict[str, Any]:
    """Returns the fields of `EMORLConfig` that a file implies.

    It does not imply `K`, `input_size` unless its decoder renders only one size, the numbers of layers and
    refinements, the priors, the likelihood, or GECO's constants.

    Raises:
        UserError: it is not a checkpoint of an EfficientMORL.
    """
    return {
        "z_size": checkpoint.shape("hvae_networks.init_posterior")[-1] // 2,
        **_decoder_options(checkpoint, "hvae_networks."),
        "use_DualGRU": any(name.startswith("hvae_networks.gru.cell.") for name in checkpoint.weights),
        "kl_beta_init": checkpoint.kl_beta,
    }


def slot_attention_options(checkpoint: TorchCheckpoint) -> dict[str, Any]:
    """Returns the fields of `SlotAttentionConfig` that a file implies.

    It does not imply `K`, or `input_size` unless its decoder renders only one size.

    Raises:
        UserError: it is not a checkpoint of a SlotAttention.
    """
    return {"z_size": checkpoint.shape("init_slots")[-1] // 2, **_decoder_options(checkpoint, "")}


def imported_state(checkpoint: TorchCheckpoint, model: TrainableModel) -> ImportedState:
    """Arranges a checkpoint for a built model.

    Raises:
        UserError: weights or moments are missing or left over, or have other shapes; all are listed.
    """
    paths = {weight.path.partition("/")[2]: weight.path for weight in model.weights}
    expected = torch_shapes({ours: weight.shape for ours, weight in zip(paths, model.weights, strict=True)})
    trained = {name: shape for name, shape in expected.items() if name not in _WITHOUT_GRADIENT}
    here = expected | {f"{name}/{kind}": shape for name, shape in trained.items() for kind in MOMENTS}
    there = {name: list(array.shape) for name, array in (checkpoint.weights | checkpoint.moments).items()}
    lists = differences(there, here)
    if lists:
        raise UserError(
            f"{checkpoint.path} does not fit the model that the flags describe ({lists}): set the flags "
            "that shapes do not imply as they were in training"
        )

    def laid_out(arrays):
        return {paths[ours]: np.asarray(array, np.float32) for ours, array in keras_weights(arrays).items()}

    trainable = {weight.path for weight in model.trainable_weights}
    slots = {}
    for kind in MOMENTS:
        moments = {name: checkpoint.moments.get(f"{name}/{kind}", np.zeros(())) for name in expected}
        slots[kind] = {path: array for path, array in laid_out(moments).items() if path in trainable}
    return ImportedState(checkpoint.step, laid_out(checkpoint.weights), slots)


def _check_members(what, content, members):
    content = content if isinstance(content, Mapping) else {}
    lists = differences(dict.fromkeys(content), dict.fromkeys(members))
    if lists:
        raise UserError(f"{what} is not what training writes ({lists})")


def _parameters(path, content):
    """Number of each optimizer parameter -> its name: both are in the order of the model's modules."""
    numbers = [number for group in content["model_opt"]["param_groups"] for number in group["params"]]
    names = list(content["model"])
    if len(numbers) != len(names):  # constants of older models were stored, but not trained
        names = [name for name in names if "gru.cell.zeros" not in name]
    if len(numbers) != len(names):
        raise UserError(f"{path}: the optimizer has {len(numbers)} parameters, the model {len(names)}")
    return dict(zip(numbers, names, strict=True))


def _decoder_options(checkpoint, scope):
    start = f"{scope}image_decoder.decode."
    numbers = {int(n.removeprefix(start).split(".")[0]) for n in checkpoint.weights if n.startswith(start)}
    if max(numbers, default=0) not in _DECODERS:
        raise UserError(f"{checkpoint.path} has an unknown image decoder, or none")
    name = _DECODERS[max(numbers)]
    size = {"input_size": (3, 96, 96)} if name == "big" else {}  # which renders no other
    return {"image_decoder": name, **size}


def _as_arrays(content):
    """Converts tensors to arrays, in nested mappings and lists."""
    if isinstance(content, Mapping):
        return {key: _as_arrays(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_as_arrays(value) for value in content]
    return content.numpy() if hasattr(content, "numpy") else content


EFFICIENT_MORL_PROGRAM = OriginalProgram(
    read=read_torch_checkpoint,
    options=efficient_morl_options,
    imported_state=imported_state,
    optimizer=Adam(),
    slots=dict(zip(MOMENTS, ("adam_m", "adam_v"), strict=True)),
    undetermined=(
        *("K", "input_size", "stochastic_layers", "image_likelihood", "log_scale"),
        *("bottom_up_prior", "reverse_prior_plusplus"),
    ),
)

SLOT_ATTENTION_PROGRAM = EFFICIENT_MORL_PROGRAM._replace(
    options=slot_attention_options, undetermined=("K", "input_size")
)
