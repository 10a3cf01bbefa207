"""Models by name: of a configuration, untrained; of a run and of pretrained weights, as trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from discovery.flag_files import options_of, read_config, read_run_flags, replaced
from discovery.pretrained import find_pretrained
from discovery.snapshots import find_snapshot, restore_model
from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder
from stacked_capsules.experiments import ConstellationConfig, SCAEConfig, make_constellation, make_scae
from stacked_capsules.image_autoencoder import ImageAutoencoder

Model = ImageAutoencoder | ConstellationAutoencoder

_KINDS = {"scae": (SCAEConfig, make_scae), "constellation": (ConstellationConfig, make_constellation)}
_CONFIGS = {name: config_class for name, (config_class, _) in _KINDS.items()}


def build(name: str, **options: Any) -> Model:
    """Builds the model of a configuration, with initial weights.

    Args:
        name: of a file in `configs/`: "mnist", "mnist_coupled", "digits", "constellation", "svhn", ...
        **options: other values for fields of `SCAEConfig` or `ConstellationConfig`, `seed=3` say.

    Raises:
        UserError: there is no such configuration or option, or it is of the package `emorl`.
    """
    flags = read_config(name, _CONFIGS)
    config_class, make = _KINDS[flags["model"]]
    return make(replaced(options_of(config_class, flags), options))


def load_run(path: str | Path) -> Model:
    """Loads the model of a run.

    Args:
        path: the run's folder, for its newest snapshot, or the prefix of a snapshot.

    Raises:
        UserError: there is no run or no snapshot, its files are damaged, or it is of the package `emorl`.
    """
    snapshot = find_snapshot(path, _CONFIGS)
    flags = read_run_flags(Path(snapshot).parent, _CONFIGS)
    config_class, make = _KINDS[flags["model"]]
    model = make(options_of(config_class, flags))
    restore_model(snapshot, model)
    return model


def load_pretrained(name: str) -> Model:
    """Loads a model whose trained weights come with the package.

    Args:
        name: of a folder in `pretrained/`: "digits", "mnist", "constellation".

    Raises:
        UserError: there are no such weights, or they are of the package `emorl`.
    """
    return load_run(find_pretrained(name, _CONFIGS))
