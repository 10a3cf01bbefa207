"""Flags that every training script has: the run's folder, where it runs, reports, snapshots."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from discovery import UserError
from discovery.training.train_config import TrainConfig

from .help_text import own_flags, topic, value_text
from .option_flags import define_flags
from .path_flags import define_path, whole_template

if TYPE_CHECKING:
    from discovery import TrainableModel
    from discovery.distributed.replicas import Replicas

FLAGS = flags.FLAGS

#: May differ between the workers of one training: the chief has the run's folder, and each host its data.
_OF_THE_HOST = {
    *("logdir", "out_dir", "checkpoint", "weights_from", "join_secs", "intra_op_threads"),
    *("data_dir", "valid_file", "data_path", "h5_path"),
}


def define(leave_out: Collection[str] = ()) -> None:
    """Defines the flags.

    Args:
        leave_out: settings that a script names differently.
    """
    topic("The run")
    flags.DEFINE_string("name", None, "Name of the run; its folder is --logdir with {name} filled in.")
    flags.mark_flag_as_required("name")
    define_path("logdir", "checkpoints/{name}", "The run's folder, a template.", whole_template)
    flags.DEFINE_integer("seed", 0, "Seed of weights, data order and noise.")
    flags.DEFINE_boolean("overwrite", False, "Clears the run's folder; otherwise an earlier run is resumed.")

    topic("Where and how it runs")
    flags.DEFINE_enum(
        "strategy",
        "auto",
        ("auto", "single", "mirrored", "multi_worker"),
        "How replicas are made; auto takes all GPUs.",
    )
    flags.DEFINE_integer("replicas", 0, "Number of replicas, logical CPU devices without GPUs; 0: automatic.")
    flags.DEFINE_float("join_secs", 600.0, "Several workers: seconds to wait for all of them.")
    flags.DEFINE_boolean("deterministic", False, "Asks TensorFlow for bit-wise repeatable operations.")
    flags.DEFINE_integer(
        "intra_op_threads",
        0,
        "Threads of one operation; 0: TensorFlow's choice; 1 where all are small.",
        lower_bound=0,
    )
    define_flags(TrainConfig, leave_out)


def warn_of_late_starts(n_steps: int, *names: str) -> None:
    """Warns of flags that name a step after the end of the run, as happens in short trials."""
    for name in names:
        if FLAGS[name].value and FLAGS[name].value >= n_steps:
            print(f"warning: --{name}={FLAGS[name].value} has no effect: the run ends at step {n_steps}")


def warn_of_slow_precision() -> None:
    """Warns where bfloat16 was asked for and is slow: on old processors, without a GPU."""
    import tensorflow as tf

    from discovery.precision import slow_bfloat16

    slow = slow_bfloat16() if FLAGS.precision != "float32" else None
    if slow and not tf.config.list_physical_devices("GPU"):
        print(f"warning: --precision={FLAGS.precision}: {slow}", flush=True)


def replicas(batch_size: int) -> Replicas:
    """Makes the replicas that the flags ask for.

    Raises:
        UserError: there are no such devices, the batch cannot be split over them, or XLA is to compile a step
            that has several.
    """
    from discovery.distributed.replicas import make_replicas

    set_threads()
    facts = {f"--{name}": value for name, value in as_text().items() if name not in _OF_THE_HOST}
    replicas = make_replicas(FLAGS.strategy, FLAGS.replicas, facts=facts, join_secs=FLAGS.join_secs)
    replicas.check_batch_size(batch_size)
    if FLAGS.jit_compile and replicas.n > 1:
        raise UserError(
            f"--jit_compile is for one replica, and there are {replicas.n}: leave it out, or set --replicas=1"
        )
    return replicas


def set_threads() -> None:
    """Sets the threads of an operation, before TensorFlow starts any."""
    import tensorflow as tf

    if FLAGS.intra_op_threads > 0:
        tf.config.threading.set_intra_op_parallelism_threads(FLAGS.intra_op_threads)


def run_folder() -> Path:
    """Returns the folder of the run."""
    from discovery.training.run_folder import folder_of_run

    return folder_of_run(FLAGS.logdir, FLAGS.name)


@contextmanager
def prepared_folder(
    folder: Path,
    replicas: Replicas,
    architecture: Collection[str],
    model: TrainableModel,
    begin_with: str = "",
) -> Iterator[None]:
    """Holds the run's folder, prepared; with several workers only the chief does, and others touch nothing.

    Args:
        folder: the run's folder.
        replicas: where it runs.
        architecture: flags that a resumed run may not change.
        model: what is trained.
        begin_with: the snapshot that a new run begins with.

    Raises:
        UserError: as `run_lock` and `prepare_run_folder` do, or no such snapshot of such a model is readable.
    """
    from discovery.snapshots import find_snapshot, list_snapshots, read_model
    from discovery.training.run_folder import prepare_run_folder
    from discovery.training.run_lock import run_lock

    if not replicas.is_chief:
        yield
        return
    if begin_with and (FLAGS.overwrite or not list_snapshots(folder)):
        snapshot = Path(find_snapshot(begin_with)).resolve()
        if snapshot.parent == folder.resolve():
            raise UserError(f"--overwrite clears {folder}, and {begin_with} is in it: choose another --name")
        read_model(begin_with, model)  # mistakes show before an earlier run is cleared
    with run_lock(folder):
        prepare_run_folder(folder, as_text(), architecture, overwrite=FLAGS.overwrite)
        yield


def as_text() -> dict[str, str]:
    """Returns every flag of the scripts by name, as text that the command line accepts.

    Flags without a value are left out, and so are those that libraries define.
    """
    return {flag.name: value_text(flag) for flag in own_flags() if flag.value is not None}


def before_defined(name: str, arguments: list[str]) -> str:
    """Returns a flag's value, on the command line or in a flag file, before flags are defined."""
    first = flags.FlagValues()
    flags.DEFINE_string(name, "", "", flag_values=first)
    first(arguments, known_only=True)
    return first[name].value


def facts() -> dict[str, Any]:
    """Returns what a run's report says about its flags: the seed, and which differ from the defaults."""
    changed = [flag for flag in own_flags() if flag.value not in (None, flag.default)]
    told = {flag.name: value_text(flag) for flag in changed if flag.name != "overwrite"}
    return {"seed": FLAGS.seed, "changed_flags": told}
