"""This package's models by name: of a configuration, untrained; of a run and of `pretrained/`, as trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from discovery import models_by_name
from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder
from stacked_capsules.image_autoencoder import ImageAutoencoder

Model = ImageAutoencoder | ConstellationAutoencoder

_PACKAGE = "stacked_capsules"


def build(name: str, seed: int = 0, **options: Any) -> Model:
    """Builds the model of a configuration, with initial weights.

    Args:
        name: of a file in `configs/`: "mnist", "mnist_coupled", "digits", "constellation", "svhn", ...
        seed: of the initial weights.
        **options: other values for fields of `SCAEConfig` or `ConstellationConfig`, `n_part_caps=40` say.

    Raises:
        UserError: there is no such configuration or option, or it is of the package `emorl`.
    """
    return models_by_name.build(_PACKAGE, name, seed, **options)


def load_run(path: str | Path) -> Model:
    """Loads the model of a run.

    Args:
        path: the run's folder, for its newest snapshot, or the prefix of a snapshot.

    Raises:
        UserError: there is no run or no snapshot, its files are damaged, or it is of the package `emorl`.
    """
    return models_by_name.load_run(_PACKAGE, path)


def load_pretrained(name: str) -> Model:
    """Loads a model whose trained weights come with the package.

    Args:
        name: of a folder in `pretrained/`: "digits", "mnist", "constellation".

    Raises:
        UserError: there are no such weights, or they are of the package `emorl`.
    """
    return models_by_name.load_pretrained(_PACKAGE, name)
