"""Reading snapshots: `model.ckpt-<step>`, TensorFlow checkpoints that map names of variables to arrays."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from discovery.errors import UserError
from discovery.named_shapes import differences
from discovery.pretrained import beside_packages
from discovery.trainable_model import TrainableModel

#: Name of the number of steps taken.
GLOBAL_STEP = "global_step"

#: Names of report state, which belongs to no variable.
REPORT_PREFIX = "report/"

#: Endings of a snapshot's two files.
DATA, INDEX = ".data-00000-of-00001", ".index"

_PATTERN = re.compile(r"[\[\]*?\\]")
_COMPLETE = re.compile(r"model\.ckpt-(\d+)\.index")


def list_snapshots(folder: Path) -> list[str]:
    """Returns the prefixes of a folder's complete snapshots, oldest first."""
    matches = [_COMPLETE.fullmatch(name) for name in os.listdir(folder)] if os.path.isdir(folder) else []
    prefixes = [
        os.path.join(folder, f"model.ckpt-{step}") for step in sorted(int(m[1]) for m in matches if m)
    ]
    return [prefix for prefix in prefixes if os.path.exists(prefix + DATA)]


def find_snapshot(path: str | Path, models: Collection[str] = ()) -> str:
    """Returns the prefix that a user means by a prefix, one of its files, or a run's folder (the newest).

    `pretrained/NAME` is found from any folder, if it is for one of the `models`, by default any.

    Raises:
        UserError: there is no such snapshot.
    """
    path = re.sub(r"(\.index|\.data-\d{5}-of-\d{5})$", "", os.path.expanduser(path))
    path = beside_packages(path, models)
    if os.path.exists(path + INDEX):
        return path
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    present = list_snapshots(Path(folder or "."))
    if os.path.isdir(path) and present:
        return present[-1]
    folder = folder or "."
    names = [os.path.basename(prefix) for prefix in present]
    if not names and os.path.isdir(folder):  # it may be the folder of all runs
        runs = [name for name in sorted(os.listdir(folder)) if list_snapshots(Path(folder, name))]
        if runs:
            raise UserError(
                f"there is no snapshot {path!r}; {folder} holds the runs {', '.join(runs)}: "
                f"give --snapshot={os.path.join(folder, runs[0])} or another"
            )
    if not names:
        there = f"{folder} holds none" if os.path.isdir(folder) else f"there is no folder {folder}"
        raise UserError(f"there is no snapshot {path!r}; {there}: train first, or give a run's folder")
    raise UserError(f"there is no snapshot {path!r}; {folder} holds: {', '.join(names)}")


def read_snapshot(prefix: str) -> dict[str, np.ndarray]:
    """Returns all arrays of a snapshot by name.

    Raises:
        UserError: it does not exist or is damaged.
    """
    prefix = find_snapshot(prefix)
    try:
        with _plainly_named(prefix) as plain:
            reader = tf.train.load_checkpoint(plain)
            names = sorted(reader.get_variable_to_shape_map())
            return {name: np.asarray(reader.get_tensor(name)) for name in names}
    except Exception as error:  # TensorFlow raises ValueError, RuntimeError or its own errors here
        raise UserError(f"the snapshot {prefix} is damaged: {_reason(error)}") from None


def check_arrays(prefix: str, arrays: Mapping[str, np.ndarray], expected: Mapping[str, tf.Variable]) -> None:
    """Raises a UserError that lists how a snapshot's arrays and the variables they are for differ."""
    there = {name: _form(array.shape, array.dtype) for name, array in arrays.items()}
    here = {name: _form(v.shape, v.dtype.as_numpy_dtype) for name, v in expected.items()}
    lists = differences(there, here)
    if lists:
        raise UserError(
            f"the snapshot {prefix} belongs to another architecture ({lists}): "
            "give the flags it was trained with"
        )


def restore_model(snapshot: str | Path, model: TrainableModel) -> int:
    """Gives a built model the weights of a training snapshot: all of them or, with an error, none.

    Args:
        snapshot: a prefix or a run's folder.
        model: a built model.

    Returns:
        the number of steps it was trained for.

    Raises:
        UserError: the snapshot does not exist, is damaged, or belongs to another architecture.
    """
    arrays = read_model(snapshot, model)
    for weight in model.weights:
        weight.value.assign(arrays[weight.path])
    return int(arrays.get(GLOBAL_STEP, 0))


def read_model(snapshot: str | Path, model: TrainableModel) -> dict[str, np.ndarray]:
    """Returns the arrays of a snapshot that has a value for each of a built model's weights.

    Raises:
        UserError: the snapshot does not exist, is damaged, or belongs to another architecture.
    """
    prefix = find_snapshot(snapshot)
    arrays = read_snapshot(prefix)
    weights = {weight.path: weight.value for weight in model.weights}
    check_arrays(
        prefix, {n: arrays[n] for n in arrays if n in weights or not _accompanies(n, arrays)}, weights
    )
    return arrays


@contextmanager
def _plainly_named(prefix: str) -> Iterator[str]:
    """Yields a prefix of the same files without `[`, `*` or `?`, which TensorFlow would take as a pattern."""
    if not _PATTERN.search(prefix):
        yield prefix
        return
    path = Path(prefix).absolute()
    with tempfile.TemporaryDirectory() as folder:
        for file in path.parent.iterdir():
            if file.name.startswith(f"{path.name}."):
                Path(folder, f"snapshot{file.name.removeprefix(path.name)}").symlink_to(file)
        yield os.path.join(folder, "snapshot")


def _accompanies(name, names):
    """Whether a name is training state beside weights: the step, reports, a slot `<weight>/<slot>`."""
    return name == GLOBAL_STEP or name.startswith(REPORT_PREFIX) or name.rpartition("/")[0] in names


def _reason(error: Exception) -> str:
    """Returns the first line of what TensorFlow says is wrong."""
    return str(error).strip().split("\n")[0].split(" [Op:")[0] or type(error).__name__


def _form(shape, dtype):
    """Returns text such as [2, 3], with the type where it is not float32."""
    kind = np.dtype(dtype).name
    return f"{list(shape)}" if kind == "float32" else f"{kind} {list(shape)}"
