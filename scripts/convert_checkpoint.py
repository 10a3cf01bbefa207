"""Makes a run's folder of an original checkpoint: evaluation scores it, training resumes from it.

TensorFlow 1:   python -m scripts.convert_checkpoint --model=scae --source=model.ckpt-300001 --out=DIR
PyTorch:        python -m scripts.convert_checkpoint --model=emorl --source=state-200000.pth --out=DIR
JAX:            python -m scripts.convert_checkpoint --source=step-1000.npz --out=DIR

--model is scae, constellation, emorl or slot_attention. Any flag of training may follow, and --flagfile too:
give those that shapes do not show, such as --canvas_size for scae, --K and --input_size for emorl. Snapshots
of an exported step (scripts/export_step.py) hold the flags of their run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery import UserError
from discovery.experiments import Experiment, experiment, experiments, function
from discovery.installation import command

from . import entry_point, training_flags, training_script
from .help_text import asks_for_help
from .path_flags import define_path, escaped, expanded

if TYPE_CHECKING:
    from discovery import TrainableModel
    from discovery.imported_state import ImportedState, OriginalProgram

FLAGS = flags.FLAGS

define_path("source", "", "The checkpoint: a TensorFlow 1 prefix, or a .pth or .npz file.")
define_path("out", "", "Folder of the run that is made.")

#: The flags of this script; others belong to the run.
_OWN = ("source", "out")


#: Suffix of the snapshots that an exported step has made elsewhere.
PORTABLE = ".npz"


def kinds() -> dict[str, Experiment]:
    """Returns the models that can be imported, by their value of `--model` here and in training."""
    return {name: kind for kind in experiments().values() for name in (kind.import_name, kind.model) if name}


def main(_) -> None:
    """Reads the checkpoint, builds the model that it describes, and writes the run's folder."""
    from discovery.snapshots import GLOBAL_STEP
    from discovery.training.run_folder import prepare_run_folder, write_flags
    from discovery.training.run_lock import run_lock
    from discovery.training.save_and_resume import write_snapshot

    kind = kinds()[FLAGS.model]
    original = function(kind.imports) if kind.imports else None
    make_model = training_script.of_model(kind.model).described.make_model
    if FLAGS.source.endswith(PORTABLE):
        FLAGS["model"].value = kind.model
        arrays = portable_arrays(make_model())
    elif original is None:
        raise UserError(
            f"--model={kind.model}: has no original program; --source must be a {PORTABLE} file, of an "
            "exported step"
        )
    else:
        checkpoint = original.read(FLAGS.source)
        told = original.options(checkpoint)
        adopt(kind, original, told)
        model = make_model()
        imported = original.imported_state(checkpoint, model)
        arrays = training_arrays(model, original, imported)
    folder = name_run(Path(FLAGS.out))
    run_flags = {name: text for name, text in training_flags.as_text().items() if name not in _OWN}
    with run_lock(folder):
        if prepare_run_folder(folder, run_flags, overwrite=FLAGS.overwrite):
            raise UserError(f"{folder} holds a run already: choose another --out, or give --overwrite")
        write_flags(folder, run_flags)
        snapshot = write_snapshot(folder, int(arrays[GLOBAL_STEP]), arrays)
    print(f"{snapshot}: from {FLAGS.source}")
    if not FLAGS.source.endswith(PORTABLE):
        tell(original, told, checkpoint, bool(any(imported.slots.values())))
    print(f"score it:    {command(kind.evaluations[0])} --snapshot={quote(str(folder))}")
    print(f"train it on: {command(kind.script)} --flagfile={quote(f'{folder}/flags.txt')}")


def check() -> None:
    """Raises a UserError if the source or the destination is missing."""
    for name in _OWN:
        if not FLAGS[name].value:
            raise UserError(f"--{name} is missing: {FLAGS[name].help}")


def define_flags(arguments: list[str]) -> None:
    """Defines the flags of the training script that belongs to `--model`.

    Raises:
        UserError: there is no such model, or the source is a part of a snapshot.
    """
    source = expanded(training_flags.before_defined("source", arguments))
    if f"{PORTABLE}.part" in source:
        whole = source[: source.rindex(".part")]
        raise UserError(f"--source={source} is one part: give --source={whole}, with all parts beside it")
    if source.endswith(PORTABLE):
        from discovery.export.npz_snapshot import read_npz_snapshot

        arguments[1:1] = [f"--{n}={text}" for n, text in read_npz_snapshot(Path(source)).flags.items()]
    model = training_flags.before_defined("model", arguments)
    if model in kinds():
        training_script.of_model(kinds()[model].model)
        FLAGS.set_default("name", "imported")  # the name of --out takes its place
    elif not asks_for_help(arguments):
        names = [kind.import_name for kind in experiments().values() if kind.import_name]
        raise UserError(f"--model={model}: give one of {', '.join(names)}")


def adopt(kind: Experiment, original: OriginalProgram, told: Mapping[str, Any]) -> None:
    """Sets the flags that the checkpoint determines.

    Raises:
        UserError: flags given by hand disagree.
    """
    told = {name: _as_flag(value) for name, value in told.items()}
    wrong = [
        f"--{name}={_text(FLAGS[name].value)} ({_text(value)} there)"
        for name, value in told.items()
        if FLAGS[name].present and FLAGS[name].value != value
    ]
    if wrong:
        raise UserError(f"{FLAGS.source} was made with other flags: {', '.join(wrong)}; leave these out")
    for name, value in told.items():
        FLAGS[name].value = value
    for name, value in original.implied.items():
        if not FLAGS[name].present:
            FLAGS[name].value = value
    FLAGS["model"].value = kind.model


def training_arrays(
    model: TrainableModel, original: OriginalProgram, imported: ImportedState
) -> dict[str, Any]:
    """Returns the whole state of training, by the names of snapshots."""
    from discovery.distributed.replicas import single_replica
    from discovery.training.train_state import TrainState

    state = TrainState(model, original.optimizer, single_replica())
    for path, value in imported.weights.items():
        state.named[path].assign(value)
    for kind, values in imported.slots.items():
        for path, value in values.items():
            state.named[f"{path}/{original.slots[kind]}"].assign(value)
    state.step.assign(imported.step)
    return {name: variable.numpy() for name, variable in state.named.items()}


def portable_arrays(model: TrainableModel) -> dict[str, Any]:
    """Returns what `portable_train.py` wrote, in the types of snapshots."""
    import numpy as np

    from discovery.distributed.replicas import single_replica
    from discovery.export.npz_snapshot import read_npz_snapshot
    from discovery.snapshots import GLOBAL_STEP, check_arrays
    from discovery.training.train_state import TrainState

    arrays = read_npz_snapshot(Path(FLAGS.source)).arrays
    how = function(experiment(FLAGS.model).recipe)(
        model, training_script.learning_options(), FLAGS.batch_size
    )
    named = TrainState(model, how.optimizer, single_replica()).named
    step = arrays.get(GLOBAL_STEP)
    if step is not None:
        arrays[GLOBAL_STEP] = step.astype(np.int64)
    check_arrays(FLAGS.source, arrays, named)
    return {name: arrays[name] for name in named}


def name_run(folder: Path) -> Path:
    """Sets the flags that name the run, so that training with its flags.txt continues in `folder`."""
    folder = folder.absolute()
    FLAGS["name"].value = folder.name
    FLAGS["logdir"].value = f"{escaped(str(folder.parent))}/{{name}}"
    for name in ("run_suffix", "out_dir"):
        if name in FLAGS:
            FLAGS[name].value = ""
    return folder


def tell(original: OriginalProgram, told: Mapping[str, Any], checkpoint: Any, with_optimizer: bool) -> None:
    """Prints what the checkpoint held, and which flags it determined and which not."""
    alone = "weights alone; where training goes on, the optimizer begins anew"
    print("taken over:", "weights and optimizer" if with_optimizer else alone)
    print("determined by it:", *(f"--{name}={_text(_as_flag(value))}" for name, value in told.items()))
    defaults = [name for name in original.undetermined if name not in told and not FLAGS[name].present]
    if defaults:
        print("undetermined, so by default:", *(f"--{name}={_text(FLAGS[name].value)}" for name in defaults))
    if getattr(checkpoint, "n_averages", 0):
        print(f"left behind: {checkpoint.n_averages} arrays of moving averages of reports")
    updates = getattr(checkpoint, "n_updates", set())
    if updates and not updates <= {checkpoint.step, checkpoint.step + 1}:
        counts = ", ".join(str(n) for n in sorted(updates))
        print(f"warning: Adam had made {counts} updates; it corrects its moments as after {checkpoint.step}")


def _as_flag(value):
    return [str(item) for item in value] if isinstance(value, tuple) else value


def _text(value):
    return ",".join(value) if isinstance(value, list) else value


if __name__ == "__main__":
    entry_point.run(main, define_flags, check=check)
