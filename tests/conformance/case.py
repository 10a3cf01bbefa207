"""A layer or model, and what it is called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

#: Examples of a batch; two replicas share it.
BATCH_SIZE = 4


@dataclass(frozen=True)
class Case:
    """A layer or model of the registry.

    Attributes:
        name: of the case.
        make: makes it, with options that are not the defaults.
        inputs: arguments of its call by name, arrays with the batch as first axis.
        noisy: whether its call takes `training` and `seed`.
        batch: for models: what `loss_and_metrics` takes; `inputs` is not needed then.
        rtol: how far compiled outputs may differ, as a share of the largest magnitude.
        draws: (arguments, seed or None) -> arguments of its call that draw noise, for layers that are handed
            such functions.
    """

    name: str
    make: Callable[[], keras.layers.Layer]
    inputs: Mapping[str, np.ndarray] | None = None
    noisy: bool = False
    batch: Mapping[str, np.ndarray] | None = None
    rtol: float = 1e-5
    draws: Callable[[Mapping[str, tf.Tensor], Any], Mapping[str, Any]] | None = None

    @property
    def is_model(self) -> bool:
        """Whether it is a whole model."""
        return self.batch is not None

    def arguments(self) -> dict[str, tf.Tensor]:
        """Returns the tensors that `call` takes."""
        return {k: tf.constant(v) for k, v in (self.batch if self.is_model else self.inputs).items()}

    def build(self, layer: keras.layers.Layer) -> None:
        """Makes the weights, if there are none yet."""
        if not layer.built:
            self.call(layer, self.arguments())

    def call(self, layer: keras.layers.Layer, arguments: Mapping[str, tf.Tensor], seed: Any = None) -> Any:
        """Calls a layer or model: as in training where there is a seed, else as at inference."""
        noise = {"training": seed is not None, "seed": seed} if self.noisy else {}
        if self.is_model:
            return layer(layer.inputs_of(arguments), **noise)
        if self.draws:
            noise = self.draws(arguments, seed)
        return layer(**arguments, **noise)


def uniform(*shape: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> np.ndarray:
    """Draws an array [BATCH_SIZE, *shape]."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, (BATCH_SIZE, *shape)).astype(np.float32)
