"""The three initialization rules; each draws from only a seed and the weight's name."""

from __future__ import annotations

import zlib
from typing import Any

import keras

from emorl.configuration import GAIN


def xavier_normal(seed: int, name: str, gain: float = GAIN) -> dict[str, Any]:
    """Keyword arguments of a dense or convolutional layer: Xavier-normal kernel, zero bias."""
    return {
        "kernel_initializer": keras.initializers.VarianceScaling(
            gain**2, mode="fan_avg", distribution="untruncated_normal", seed=_key(seed, name)
        ),
        "bias_initializer": "zeros",
    }


def torch_uniform(seed: int, name: str, fan_in: int) -> dict[str, Any]:
    """Keyword arguments of a dense or convolutional layer: both uniform within 1 / sqrt(fan_in)."""
    return {
        "kernel_initializer": uniform(seed, f"{name}/kernel", fan_in),
        "bias_initializer": uniform(seed, f"{name}/bias", fan_in),
    }


def uniform(seed: int, name: str, fan_in: int) -> keras.initializers.Initializer:
    """Uniform within 1 / sqrt(fan_in) of zero."""
    bound = fan_in**-0.5
    return keras.initializers.RandomUniform(-bound, bound, seed=_key(seed, name))


def standard_normal(seed: int, name: str) -> keras.initializers.Initializer:
    """N(0, 1)."""
    return keras.initializers.RandomNormal(0.0, 1.0, seed=_key(seed, name))


def _key(seed, name):
    return zlib.crc32(f"{seed}/{name}".encode()) & 0x7FFFFFFF
