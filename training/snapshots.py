"""Snapshots: `model.ckpt-<step>`, TensorFlow checkpoints that map names of variables to arrays."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from protocols import TrainableModel, UserError
from training.train_state import GLOBAL_STEP

#: Names of report state, which belongs to no variable.
REPORT_PREFIX = "report/"

_COMPLETE = re.compile(r"model\.ckpt-(\d+)\.index")
_UNFINISHED = ".unfinished-"
_DATA, _INDEX = ".data-00000-of-00001", ".index"
_LISTED = 20


def write_snapshot(folder: Path, step: int, arrays: Mapping[str, np.ndarray], keep: int = 0) -> str:
    """Writes `model.ckpt-<step>`; whoever looks sees all of it or nothing, whenever this is killed.

    Args:
        folder: of the run; exists.
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
        tf.raw_ops.SaveV2(
            prefix=unfinished,
            tensor_names=list(arrays),
            shape_and_slices=[""] * len(arrays),
            tensors=[tf.constant(array) for array in arrays.values()],
        )
        for suffix in (_DATA, _INDEX):  # a snapshot is what has an index, so the index comes last
            _flush_to_disk(unfinished + suffix)
            os.replace(unfinished + suffix, prefix + suffix)
        _forget_old(folder, keep)
    except (OSError, tf.errors.OpError) as error:
        remove_unfinished(folder)
        raise UserError(
            f"cannot write the snapshot {prefix}: {_reason(error)}; earlier snapshots stay"
        ) from None
    return prefix


def list_snapshots(folder: Path) -> list[str]:
    """Returns the prefixes of a folder's complete snapshots, oldest first."""
    matches = [_COMPLETE.fullmatch(name) for name in os.listdir(folder)] if os.path.isdir(folder) else []
    prefixes = [
        os.path.join(folder, f"model.ckpt-{step}") for step in sorted(int(m[1]) for m in matches if m)
    ]
    return [prefix for prefix in prefixes if os.path.exists(prefix + _DATA)]


def find_snapshot(path: str | Path) -> str:
    """Returns the prefix that a user means by a prefix, one of its files, or a run's folder (the newest).

    Raises:
        UserError: there is no such snapshot.
    """
    path = re.sub(r"(\.index|\.data-\d{5}-of-\d{5})$", "", os.fspath(path))
    if os.path.exists(path + _INDEX):
        return path
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    present = list_snapshots(Path(folder or "."))
    if os.path.isdir(path) and present:
        return present[-1]
    names = ", ".join(os.path.basename(prefix) for prefix in present) or "none"
    raise UserError(f"there is no snapshot {path!r}; {folder or '.'} holds: {names}")


def read_snapshot(prefix: str) -> dict[str, np.ndarray]:
    """Returns all arrays of a snapshot by name.

    Raises:
        UserError: it does not exist or is damaged.
    """
    prefix = find_snapshot(prefix)
    try:
        reader = tf.train.load_checkpoint(prefix)
        return {
            name: np.asarray(reader.get_tensor(name)) for name in sorted(reader.get_variable_to_shape_map())
        }
    except Exception as error:  # TensorFlow raises ValueError, RuntimeError or its own errors here
        raise UserError(f"the snapshot {prefix} is damaged: {_reason(error)}") from None


def check_arrays(prefix: str, arrays: Mapping[str, np.ndarray], expected: Mapping[str, tf.Variable]) -> None:
    """Raises a UserError that lists how a snapshot's arrays and the variables they are for differ."""
    missing = [name for name in expected if name not in arrays]
    unexpected = [name for name in arrays if name not in expected]
    shapes = [
        f"{name} ({list(arrays[name].shape)}, here {list(variable.shape)})"
        for name, variable in expected.items()
        if name in arrays and not _fits(arrays[name], variable)
    ]
    kinds = (("missing there", missing), ("unknown here", unexpected), ("of another shape or type", shapes))
    lists = [f"{kind}: {_shortened(names)}" for kind, names in kinds if names]
    if lists:
        raise UserError(
            f"the snapshot {prefix} belongs to another architecture ({'; '.join(lists)}): "
            "give the flags it was trained with"
        )


def restore_model(snapshot: str | Path, model: TrainableModel) -> int:
    """Gives a built model the weights of a training snapshot; all of them or, with an error, none.

    Args:
        snapshot: a prefix or a run's folder.
        model: built.

    Returns:
        the number of steps it was trained for.

    Raises:
        UserError: the snapshot does not exist, is damaged, or belongs to another architecture.
    """
    prefix = find_snapshot(snapshot)
    arrays = read_snapshot(prefix)
    weights = {weight.path: weight.value for weight in model.weights}
    check_arrays(
        prefix, {n: arrays[n] for n in arrays if n in weights or not _accompanies(n, arrays)}, weights
    )
    for name, variable in weights.items():
        variable.assign(arrays[name])
    return int(arrays.get(GLOBAL_STEP, 0))


def restore_state(
    folder: Path, variables: Mapping[str, tf.Variable], log: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """Gives a run's variables the values of its newest readable snapshot, if it has one; all of them or none.

    Damaged snapshots are set aside as `*.damaged`, with a warning.

    Args:
        folder: of the run.
        variables: all that training carries, by name.
        log: gets the warnings.

    Returns:
        the snapshot's report state; empty where there is no snapshot.

    Raises:
        UserError: the snapshot belongs to another architecture, or none of several is readable.
    """
    damaged = {}
    for prefix in reversed(list_snapshots(folder)):
        try:
            arrays = read_snapshot(prefix)
        except UserError as error:
            damaged[prefix] = error
            continue
        state = {name: array for name, array in arrays.items() if not name.startswith(REPORT_PREFIX)}
        check_arrays(prefix, state, variables)
        for other, error in damaged.items():
            log(f"warning: {error}; {prefix} is used instead")
            for suffix in (_INDEX, _DATA):
                os.replace(other + suffix, f"{other}{suffix}.damaged")
        for name, variable in variables.items():
            variable.assign(arrays[name])
        return {name: array for name, array in arrays.items() if name.startswith(REPORT_PREFIX)}
    if damaged:
        raise next(iter(damaged.values()))
    return {}


def remove_unfinished(folder: Path) -> None:
    """Deletes what a killed process left of a snapshot that it was writing."""
    for path in Path(folder).glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def _accompanies(name, names):
    """Whether a name is training state beside weights: the step, reports, a slot `<weight>/<slot>`."""
    return name == GLOBAL_STEP or name.startswith(REPORT_PREFIX) or name.rpartition("/")[0] in names


def _fits(array, variable):
    return array.shape == tuple(variable.shape) and array.dtype == variable.dtype.as_numpy_dtype


def _forget_old(folder, keep):
    prefixes = list_snapshots(folder)
    for prefix in prefixes[:-keep] if keep else []:
        for suffix in (_INDEX, _DATA):
            os.remove(prefix + suffix)
    names = [os.path.basename(prefix) for prefix in list_snapshots(folder)]
    lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{n}"' for n in names)]
    unfinished = Path(folder, f"{_UNFINISHED}checkpoint")
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(unfinished, Path(folder, "checkpoint"))  # what tf.train.latest_checkpoint reads


def _flush_to_disk(path):
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _reason(error):
    return str(error).strip().split("\n")[0].split(" [Op:")[0] or type(error).__name__


def _shortened(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
