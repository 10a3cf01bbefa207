"""Writes snapshots and resumes from them; `discovery.snapshots` says what they are and reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from discovery import TrainableModel, UserError
from discovery.snapshots import (
    DATA,
    INDEX,
    REPORT_PREFIX,
    check_arrays,
    find_snapshot,
    list_snapshots,
    read_model,
    read_snapshot,
)
from discovery.whole_files import writing

_UNFINISHED = ".unfinished-"


def write_snapshot(folder: Path, step: int, arrays: Mapping[str, np.ndarray], keep: int = 0) -> str:
    """Writes `model.ckpt-<step>`; readers see all of it or nothing, whenever this is killed.

    Args:
        folder: the run's folder, which exists.
        step: number of steps taken.
        arrays: by name.
        keep: how many snapshots to keep; 0: all.

    Returns:
        the snapshot's prefix.

    Raises:
        UserError: an array is not finite, or the snapshot cannot be written; earlier snapshots stay.
    """
    prefix = os.path.join(folder, f"model.ckpt-{step}")
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise UserError(
                f"{name} is not finite at step {step}: no snapshot was written, earlier ones stay"
            )
    unfinished = os.path.join(folder, f"{_UNFINISHED}model.ckpt-{step}")
    try:
        with writing(prefix):
            tf.raw_ops.SaveV2(
                prefix=unfinished,
                tensor_names=list(arrays),
                shape_and_slices=[""] * len(arrays),
                tensors=[tf.constant(array) for array in arrays.values()],
            )
            for suffix in (DATA, INDEX):  # a snapshot is what has an index, so the index comes last
                _flush_to_disk(unfinished + suffix)
                os.replace(unfinished + suffix, prefix + suffix)
            _forget_old(folder, keep)
    except UserError:
        remove_unfinished(folder)
        raise
    return prefix


def restore_state(
    folder: Path,
    variables: Mapping[str, tf.Variable],
    log: Callable[[str], None],
    begin_with: str | Path = "",
) -> dict[str, np.ndarray]:
    """Gives a run's variables the values of its newest readable snapshot, if it has one; all of them or none.

    Damaged snapshots are set aside as `*.damaged`, with a warning.

    Args:
        folder: the run's folder.
        variables: the whole state of training, by name.
        log: receives the warnings.
        begin_with: another run's snapshot (its prefix, or the run's folder), read where `folder` holds none.

    Returns:
        the snapshot's report state; empty where there is no snapshot.

    Raises:
        UserError: `begin_with` names no snapshot, the snapshot belongs to another architecture or holds no
            slots of the optimizer, or none of several is readable.
    """
    damaged = {}
    prefixes = list_snapshots(folder) or ([find_snapshot(begin_with)] if begin_with else [])
    for prefix in reversed(prefixes):
        try:
            arrays = read_snapshot(prefix)
        except UserError as error:
            damaged[prefix] = error
            continue
        state = {name: array for name, array in arrays.items() if not name.startswith(REPORT_PREFIX)}
        if _weights_alone(state, variables):
            raise UserError(
                f"the snapshot {prefix} holds weights alone, nothing of the optimizer, so that training "
                "cannot resume from it: begin a new run, with another --name, from its weights "
                "(--checkpoint in scripts.train, --weights_from in scripts.train_emorl)"
            )
        check_arrays(prefix, state, variables)
        for other, error in damaged.items():
            log(f"warning: {error}; {prefix} is used instead")
            for suffix in (INDEX, DATA):
                os.replace(other + suffix, f"{other}{suffix}.damaged")
        for name, variable in variables.items():
            variable.assign(arrays[name])
        return {name: array for name, array in arrays.items() if name.startswith(REPORT_PREFIX)}
    if damaged:
        raise next(iter(damaged.values()))
    return {}


def begin_state(
    folder: Path,
    variables: Mapping[str, tf.Variable],
    model: TrainableModel,
    log: Callable[[str], None],
    begin_with: str | Path = "",
    weights_alone: bool = False,
) -> dict[str, np.ndarray]:
    """Restores a run as `restore_state` does, or gives a new one what another run's snapshot has learned.

    In the latter case, a model's state besides weights that learn (GECO's state) begins anew.

    Args:
        folder: the run's folder.
        variables: the whole state of training, by name; the model's variables among them.
        model: what is trained.
        log: receives warnings, and what a new run begins with.
        begin_with: another run's snapshot (its prefix, or the run's folder), read where `folder` holds none.
        weights_alone: take only its weights; implied where it holds nothing else.

    Returns:
        the snapshot's report state; empty where there is none.

    Raises:
        UserError: as `restore_state` does.
    """
    if begin_with and not list_snapshots(folder):
        prefix = find_snapshot(begin_with)
        if weights_alone or not _holds_slots(read_snapshot(prefix)):
            arrays = read_model(prefix, model)
            for weight in model.trainable_weights:
                weight.value.assign(arrays[weight.path])
            log(f"{folder}: begins with the weights of {prefix}")
            return {}
    return restore_state(folder, variables, log, begin_with)


def remove_unfinished(folder: Path) -> None:
    """Deletes what a killed process left of a snapshot that it was writing, or deleting."""
    for path in Path(folder).glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)
    for path in Path(folder).glob(f"model.ckpt-*{DATA}"):
        if not path.with_name(path.name.removesuffix(DATA) + INDEX).exists():
            path.unlink(missing_ok=True)


def _weights_alone(names, wanted):
    """Whether a snapshot lacks nothing but slots `<weight>/<slot>`, and holds none."""
    missing = wanted.keys() - names
    return bool(missing) and all(n.rpartition("/")[0] in names for n in missing) and not _holds_slots(names)


def _holds_slots(names):
    """Whether a snapshot has an optimizer's slots, `<weight>/<slot>`, beside the weights."""
    return any(name.rpartition("/")[0] in names for name in names)


def _forget_old(folder, keep):
    prefixes = list_snapshots(folder)
    for prefix in prefixes[:-keep] if keep else []:
        for suffix in (INDEX, DATA):
            os.remove(prefix + suffix)
    names = [os.path.basename(prefix) for prefix in list_snapshots(folder)]
    lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{n}"' for n in names)]
    unfinished = Path(folder, f"{_UNFINISHED}checkpoint")
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(unfinished, Path(folder, "checkpoint"))  # what tf.train.latest_checkpoint reads


def _flush_to_disk(path):
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
