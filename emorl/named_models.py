"""This package's models by name: untrained from a configuration, trained from a run or `pretrained/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from discovery import models_by_name
from emorl.efficient_morl import EfficientMORL
from emorl.slot_attention import SlotAttention
from emorl.vae import VAE

Model = EfficientMORL | SlotAttention | VAE

_PACKAGE = "emorl"


def build(name: str, seed: int = 0, **options: Any) -> Model:
    """Builds the model of a configuration, with initial weights.

    Args:
        name: of a file in `configs/`: "tetrominoes", "clevr6", "slot_attention_tetrominoes", ...
        seed: of the initial weights.
        **options: override fields of the model's configuration, for example `K=7`.

    Raises:
        UserError: there is no such configuration or option, or it belongs to the package `stacked_capsules`.
    """
    return models_by_name.build(_PACKAGE, name, seed, **options)


def load_run(path: str | Path) -> Model:
    """Loads the model of a run, which refines as often as at the end of its training.

    Args:
        path: the run's folder, which selects its newest snapshot, or the prefix of a snapshot.

    Raises:
        UserError: there is no run or snapshot, its files are damaged, or it belongs to `stacked_capsules`.
    """
    return models_by_name.load_run(_PACKAGE, path)


def load_pretrained(name: str) -> Model:
    """Loads a model whose trained weights come with the package.

    Args:
        name: of a folder in `pretrained/`: "slot_attention_tetrominoes".

    Raises:
        UserError: there are no such weights, or they belong to the package `stacked_capsules`.
    """
    return models_by_name.load_pretrained(_PACKAGE, name)
