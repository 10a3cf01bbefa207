"""The commands that `pip install` puts beside python: each runs its module as `python -m` does."""

import runpy
from collections.abc import Callable

#: Modules that are commands: `discovery-train` runs `train`, and so on.
COMMANDS = (
    *("train", "train_emorl", "eval_mnist", "eval_constellation", "eval_emorl", "compare_runs", "run_seeds"),
    *("export_model", "export_step", "convert_checkpoint", "make_dataset", "check_data", "make_pretrained"),
)


def _command(module: str) -> Callable[[], None]:
    def run() -> None:
        runpy.run_module(f"{__package__}.{module}", run_name="__main__", alter_sys=True)

    run.__doc__ = f"Runs `{module}`."
    return run


globals().update({module: _command(module) for module in COMMANDS})
