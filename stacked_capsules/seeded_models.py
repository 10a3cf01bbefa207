"""From options to a built model, with initial weights drawn from a seed."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from contextlib import contextmanager

from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder
from stacked_capsules.image_autoencoder import ImageAutoencoder


def make_scae(config: SCAEConfig, seed: int | None = None) -> ImageAutoencoder:
    """Builds the image autoencoder (SCAE, section 3.2); a pure function of its arguments.

    Args:
        config: the options.
        seed: of the initial weights, instead of the config's.

    Raises:
        UserError: sizes do not fit together.
    """
    return _built(ImageAutoencoder, config, seed)


def make_constellation(config: ConstellationConfig, seed: int | None = None) -> ConstellationAutoencoder:
    """Builds the constellation autoencoder (SCAE, section 3.1); a pure function of its arguments.

    Args:
        config: the options.
        seed: of the initial weights, instead of the config's.
    """
    return _built(ConstellationAutoencoder, config, seed)


def _built(model_class, config, seed):
    config = config if seed is None else dataclasses.replace(config, seed=seed)
    with _seeded_initializers(config.seed):
        model = model_class(config)
        model.build()
    return model


@contextmanager
def _seeded_initializers(seed: int) -> Iterator[None]:
    """Seeds initializers made within: Keras takes their seeds from Python's generator, restored after."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
