"""Exports the training step, for machines that have JAX and no TensorFlow.

    python -m scripts.export_step --flagfile=configs/mnist.flags --data_dir=DIR --out=portable/mnist
    python portable/mnist/portable_train.py portable/mnist --steps=10000

The flags are those of training; --model determines of which script. --out gets
    program-<i>.bin    some steps in one program, for each phase of the training that has options of its own
    initial.npz        weights, slots of the optimizer, and the step
    data.npz           what the batches are made of
    manifest.json      names, shapes and types of all these, names of metrics, and the flags
    portable_train.py  trains with them, and portable_files.py beside it; needs jax, numpy and flatbuffers
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

from absl import flags

from discovery import UserError
from discovery.experiments import experiments

from . import entry_point, training_flags, training_script
from .help_text import asks_for_help
from .path_flags import define_path

FLAGS = flags.FLAGS

#: Platforms that a program can be for.
PLATFORMS = ("cpu", "cuda", "tpu")

define_path("out", "", "Folder for the exported step.")
define_path("data", "", "File for the data; by default data.npz in --out.")
flags.DEFINE_integer("inner_steps", 100, "Most steps that one call of the program takes.", lower_bound=1)
flags.DEFINE_list("platforms", list(PLATFORMS), "What the program is for.")
flags.DEFINE_enum(
    *("matmul_precision", "highest", ["highest", "default"]),
    "highest: float32 everywhere; default: what the platform takes for it, such as TF32 or bfloat16.",
)
define_path("snapshot", "", "Begin with a run's snapshot: its prefix, or the run's folder.")

#: The flags that are not the run's: those of this script, and one that would delete.
_OWN = ("overwrite", "out", "data", "inner_steps", "platforms", "matmul_precision", "snapshot")


def main(_) -> None:
    """Builds what the training script would train, and exports its step."""
    folder = Path(FLAGS.out)
    check(folder)
    import tensorflow as tf

    from discovery.distributed.replicas import single_replica
    from discovery.export.exported_folder import Phase, write_folder
    from discovery.export.lowering import exported_program  # needs jax
    from discovery.export.program import initial_state, phases, program_of
    from discovery.training.save_and_resume import begin_state
    from discovery.training.step import TrainingStep
    from discovery.training.train_state import TrainState

    if "epoch_order" in FLAGS and not FLAGS.snapshot and not FLAGS["epoch_order"].present:
        FLAGS.epoch_order = "sort"  # a stored order is longer than the data; but a run keeps the one it has
    flags_of_run = {name: text for name, text in training_flags.as_text().items() if name not in _OWN}
    FLAGS.jit_compile = True  # the model is built as XLA compiles it
    if "pixel_likelihood" in FLAGS and FLAGS.pixel_likelihood == "auto":  # not what suits this machine
        FLAGS.pixel_likelihood = "blocks" if FLAGS.platforms == ["cpu"] else "whole"
    script = training_script.of_model(FLAGS.model)
    config = script.train_config()
    model, source, how = training_script.recipe(script.described, single_replica())
    if source.pure is None:
        raise UserError(f"--dataset={FLAGS.dataset}: its batches exist only in TensorFlow's pipeline")
    data = source.pure.arrays(config.max_train_steps)
    step = TrainingStep(model, how.optimizer, how.schedule, how.clipping)
    state = TrainState(model, how.optimizer, single_replica())
    if FLAGS.snapshot:
        begin_state(folder, state.named, model, print, FLAGS.snapshot)

    tf.config.experimental.enable_tensor_float_32_execution(FLAGS.matmul_precision == "default")
    parts = []
    for first, options in phases(how.options_at, config.max_train_steps):
        with_options = replace(step, options=options)
        program = program_of(with_options, source.pure, data, config.seed, FLAGS.inner_steps)
        content = exported_program(program, program.arguments, FLAGS.platforms)
        parts.append(Phase(first, options, program.metrics, content))
        print(f"program of the steps from {first} on: {len(content) / 1e6:.1f} MB", *options.items())
    facts = {
        "flags": flags_of_run,
        "batch_size": FLAGS.batch_size,
        "inner_steps": FLAGS.inner_steps,
        "last_step": config.max_train_steps,
        "platforms": FLAGS.platforms,
        "matmul_precision": FLAGS.matmul_precision,
    }
    data_file = Path(FLAGS.data or folder / "data.npz")
    write_folder(folder, parts, initial_state(program, state), data, data_file, facts)
    print(f"{data_file}: {sum(array.nbytes for array in data.values()) / 1e6:.1f} MB of data")
    print(f"train it: python {folder}/portable_train.py {folder}" + f" --data={data_file}" * bool(FLAGS.data))


def check(folder: Path) -> None:
    """Raises a UserError for flags that an export cannot use, before anything takes time."""
    from discovery.export.exported_folder import check_folder

    if not FLAGS.out:
        raise UserError(f"--out is missing: {FLAGS['out'].help}")
    check_folder(folder)
    unknown = sorted(set(FLAGS.platforms) - set(PLATFORMS))
    if unknown or not FLAGS.platforms:
        raise UserError(f"--platforms={','.join(FLAGS.platforms)}: choose from {', '.join(PLATFORMS)}")
    if FLAGS.replicas > 1 or FLAGS.strategy not in ("auto", "single"):
        raise UserError(
            f"--strategy={FLAGS.strategy} --replicas={FLAGS.replicas}: a portable step has one replica"
        )
    for name in ("checkpoint", "weights_from"):
        if name in FLAGS and FLAGS[name].value:
            raise UserError(f"--{name}={FLAGS[name].value}: an export begins with --snapshot")
    if not importlib.util.find_spec("jax"):
        raise UserError("exporting the step needs JAX: pip install '.[jax]'")


def define_flags(arguments: list[str]) -> None:
    """Defines the flags of the training script that belongs to `--model`.

    Raises:
        UserError: there is no such model.
    """
    model = training_flags.before_defined("model", arguments)
    if model in experiments():
        training_script.of_model(model)
        FLAGS.set_default("name", "exported")
    elif not asks_for_help(arguments):
        raise UserError(f"--model={model}: give one of {', '.join(experiments())}, or a --flagfile that does")


if __name__ == "__main__":
    entry_point.run(main, define_flags)
