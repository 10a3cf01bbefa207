"""Makes a run's folder of an original checkpoint: evaluation scores it, training goes on from it.

TensorFlow 1:   python -m scripts.convert_checkpoint --model=scae --source=model.ckpt-300001 --out=DIR
PyTorch:        python -m scripts.convert_checkpoint --model=emorl --source=state-200000.pth --out=DIR
JAX:            python -m scripts.convert_checkpoint --source=step-1000.npz --out=DIR

--model is scae, constellation, emorl or slot_attention. Any flag of training may follow, and --flagfile too:
give those that shapes do not tell, such as --canvas_size for scae, --K and --input_size for emorl. Snapshots
of an exported step (scripts/export_step.py) hold the flags of their run.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import flags

from discovery import UserError

from . import emorl_flags, entry_point, scae_flags, training_flags
from .help_text import asks_for_help

if TYPE_CHECKING:
    from discovery import TrainableModel
    from discovery.imported_state import ImportedState
    from discovery.training.optimizers import Optimizer

FLAGS = flags.FLAGS

flags.DEFINE_string("source", "", "The checkpoint: a TensorFlow 1 prefix, or a .pth or .npz file.")
flags.DEFINE_string("out", "", "Folder of the run that is made.")

#: The flags of this script; others belong to the run.
_OWN = ("source", "out")


class Original(NamedTuple):
    """One of the programs whose checkpoints are imported.

    Attributes:
        evaluation: the script that scores its runs.
        read: file or prefix -> what it holds.
        imported_state: lays that out for a built model.
        optimizer: makes the slots of weights that have none there.
        slots: that program's names of the optimiser's slots -> ours.
    """

    evaluation: str
    read: Callable[[str], Any]
    imported_state: Callable[[Any, TrainableModel], ImportedState]
    optimizer: Optimizer
    slots: Mapping[str, str]


class Kind(NamedTuple):
    """A model that is imported.

    Attributes:
        original: the program that trained it.
        model: what `--model` of training says.
        options: checkpoint -> values of flags that it tells.
        untold: flags that shape the model and that no checkpoint tells.
        implied: other flags that go with the model.
    """

    original: Original
    model: str
    options: Callable[[Any], dict[str, Any]]
    untold: tuple[str, ...]
    implied: Mapping[str, str] = {}


#: --model -> the training script here.
SCRIPTS = {
    **dict.fromkeys(("scae", "constellation"), "scripts.train"),
    **dict.fromkeys(("emorl", "slot_attention"), "scripts.train_emorl"),
}
#: What flagfiles of training say.
_SAME = {"EfficientMORL": "emorl", "SlotAttention": "slot_attention"}

#: Ending of the snapshots that an exported step has made elsewhere.
PORTABLE = ".npz"


@functools.cache
def kinds() -> dict[str, Kind]:
    """Returns the models that are imported: what `--model` says -> how."""
    from discovery.training.optimizers import Adam, RMSProp
    from emorl import torch_checkpoint
    from stacked_capsules import tf1_checkpoint

    scae = Original(
        "scripts.eval_mnist",
        tf1_checkpoint.read_tf1_checkpoint,
        tf1_checkpoint.imported_state,
        RMSProp(epsilon=1.0),
        {tf1_checkpoint.MEAN_SQUARE: "rms", tf1_checkpoint.MOMENTUM: "momentum"},
    )
    emorl = Original(
        "scripts.eval_emorl",
        torch_checkpoint.read_torch_checkpoint,
        torch_checkpoint.imported_state,
        Adam(),
        dict(zip(torch_checkpoint.MOMENTS, ("adam_m", "adam_v"), strict=True)),
    )
    return {
        "scae": Kind(
            scae,
            "scae",
            tf1_checkpoint.scae_options,
            (
                *("canvas_size", "cnn_strides", "template_nonlin", "color_nonlin", "prep"),
                *("vote_type", "pres_type"),
            ),
        ),
        "constellation": Kind(
            scae._replace(evaluation="scripts.eval_constellation"),
            "constellation",
            tf1_checkpoint.constellation_options,
            (),
            {"dataset": "constellation"},
        ),
        "emorl": Kind(
            emorl,
            "EfficientMORL",
            torch_checkpoint.efficient_morl_options,
            (
                *("K", "input_size", "stochastic_layers", "image_likelihood", "log_scale"),
                *("bottom_up_prior", "reverse_prior_plusplus"),
            ),
        ),
        "slot_attention": Kind(
            emorl, "SlotAttention", torch_checkpoint.slot_attention_options, ("K", "input_size")
        ),
    }


def main(_) -> None:
    """Reads the checkpoint, builds the model that it tells of, fills both, and writes the run's folder."""
    from discovery.snapshots import GLOBAL_STEP
    from discovery.training.run_folder import prepare_run_folder, write_flags
    from discovery.training.run_lock import run_lock
    from discovery.training.snapshots import write_snapshot

    name = _SAME.get(FLAGS.model, FLAGS.model)
    kind = kinds()[name]
    make_model = (scae_flags if SCRIPTS[name] == "scripts.train" else emorl_flags).make_model
    if FLAGS.source.endswith(PORTABLE):
        FLAGS["model"].value = kind.model
        arrays = portable_arrays(make_model(), kind.original)
    else:
        checkpoint = kind.original.read(FLAGS.source)
        told = kind.options(checkpoint)
        adopt(kind, told)
        model = make_model()
        arrays = training_arrays(model, kind.original, kind.original.imported_state(checkpoint, model))
    folder = name_run(Path(FLAGS.out))
    run_flags = {name: text for name, text in training_flags.as_text().items() if name not in _OWN}
    with run_lock(folder):
        if prepare_run_folder(folder, run_flags, overwrite=FLAGS.overwrite):
            raise UserError(f"{folder} holds a run already: choose another --out, or give --overwrite")
        write_flags(folder, run_flags)
        snapshot = write_snapshot(folder, int(arrays[GLOBAL_STEP]), arrays)
    print(f"{snapshot}: weights and optimiser of {FLAGS.source}")
    if not FLAGS.source.endswith(PORTABLE):
        tell(kind, told, checkpoint)
    print(f"score it:    python -m {kind.original.evaluation} --snapshot={folder}")
    print(f"train it on: python -m {SCRIPTS[name]} --flagfile={folder}/flags.txt")


def check() -> None:
    """Raises a UserError where it is not said what is read, or where to."""
    for name in _OWN:
        if not FLAGS[name].value:
            raise UserError(f"--{name} is missing: {FLAGS[name].help}")


def define_flags(arguments: list[str]) -> None:
    """Defines the flags of the training script that belongs to `--model`.

    Raises:
        UserError: there is no such model, or the source is a part of a snapshot.
    """
    source = training_flags.before_defined("source", arguments)
    if f"{PORTABLE}.part" in source:
        whole = source[: source.rindex(".part")]
        raise UserError(f"--source={source} is a part: give --source={whole}, beside which all parts lie")
    if source.endswith(PORTABLE):
        from discovery.export.npz_snapshot import read_npz_snapshot

        arguments[1:1] = [f"--{n}={text}" for n, text in read_npz_snapshot(Path(source)).flags.items()]
    model = training_flags.before_defined("model", arguments)
    name = _SAME.get(model, model)
    if name in SCRIPTS:
        importlib.import_module(SCRIPTS[name])
        FLAGS.set_default("name", "imported")  # the name of --out takes its place
    elif not asks_for_help(arguments):
        raise UserError(f"--model={model}: give one of {', '.join(SCRIPTS)}")


def adopt(kind: Kind, told: Mapping[str, Any]) -> None:
    """Sets the flags that the checkpoint tells.

    Raises:
        UserError: flags given by hand say otherwise.
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
    for name, value in kind.implied.items():
        if not FLAGS[name].present:
            FLAGS[name].value = value
    FLAGS["model"].value = kind.model


def training_arrays(model: TrainableModel, original: Original, imported: ImportedState) -> dict[str, Any]:
    """Returns all that training carries, by the names of snapshots."""
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


def portable_arrays(model: TrainableModel, original: Original) -> dict[str, Any]:
    """Returns what `portable_train.py` wrote, in the types of snapshots."""
    import numpy as np

    from discovery.distributed.replicas import single_replica
    from discovery.export.npz_snapshot import read_npz_snapshot
    from discovery.snapshots import GLOBAL_STEP, check_arrays
    from discovery.training.train_state import TrainState

    arrays = read_npz_snapshot(Path(FLAGS.source)).arrays
    named = TrainState(model, original.optimizer, single_replica()).named
    step = arrays.get(GLOBAL_STEP)
    if step is not None:
        arrays[GLOBAL_STEP] = step.astype(np.int64)
    check_arrays(FLAGS.source, arrays, named)
    return {name: arrays[name] for name in named}


def name_run(folder: Path) -> Path:
    """Sets the flags that name the run, so that training with its flags.txt goes on in `folder`."""
    folder = folder.absolute()
    FLAGS["name"].value = folder.name
    FLAGS["logdir"].value = str(folder.parent).replace("{", "{{").replace("}", "}}") + "/{name}"
    for name in ("run_suffix", "out_dir"):
        if name in FLAGS:
            FLAGS[name].value = ""
    return folder


def tell(kind: Kind, told: Mapping[str, Any], checkpoint: Any) -> None:
    """Prints what the checkpoint told, and what not."""
    print("told by it:", *(f"--{name}={_text(_as_flag(value))}" for name, value in told.items()))
    defaults = [name for name in kind.untold if name not in told and not FLAGS[name].present]
    if defaults:
        print("not told, so by default:", *(f"--{name}={_text(FLAGS[name].value)}" for name in defaults))
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
