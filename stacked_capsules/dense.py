"""Dense layers, initialized as in the reference."""

from __future__ import annotations

import keras

from stacked_capsules.initializers import fan_in_normal


def dense(units: int, name: str, activation: str | None = None) -> keras.layers.Dense:
    """Returns an unbuilt dense layer: truncated normal kernel of scale 1/sqrt(fan-in), zero bias."""
    return keras.layers.Dense(units, activation=activation, kernel_initializer=fan_in_normal(), name=name)
