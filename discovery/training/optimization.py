"""How a model learns, as a training script derives it from its flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from discovery.training.gradient_clipping import Clipping
from discovery.training.optimizers import Optimizer
from discovery.training.schedules import Schedule


class Optimization(NamedTuple):
    """What shapes a step beside the model and its data; keyword arguments of `discovery.training.loop.train`.

    Attributes:
        optimizer: the pure update.
        schedule: step -> learning rate.
        clipping: how gradients are clipped.
        options_at: step -> the model's keyword options in that phase.
    """

    optimizer: Optimizer
    schedule: Schedule
    clipping: Clipping
    options_at: Callable[[int], Mapping[str, Any]] = lambda step: {}
