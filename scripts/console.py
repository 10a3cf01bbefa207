"""The commands that `pip install` puts beside python: each runs its module as `python -m` does."""

import runpy


def scae_train() -> None:
    """`scae-train`: python -m scripts.train."""
    _run("scripts.train")


def scae_eval() -> None:
    """`scae-eval`: python -m scripts.eval_mnist."""
    _run("scripts.eval_mnist")


def emorl_train() -> None:
    """`emorl-train`: python -m scripts.train_emorl."""
    _run("scripts.train_emorl")


def emorl_eval() -> None:
    """`emorl-eval`: python -m scripts.eval_emorl."""
    _run("scripts.eval_emorl")


def _run(module):
    runpy.run_module(module, run_name="__main__", alter_sys=True)
