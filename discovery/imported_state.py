"""What an import takes over from another program's checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from discovery.trainable_model import TrainableModel
    from discovery.training.optimizers import Optimizer


class ImportedState(NamedTuple):
    """The state of another program's training, laid out as the model here has it.

    Attributes:
        step: number of steps taken.
        weights: by path of the model's variable, all of them.
        slots: the optimizer's, by that program's name of the kind, then by path. A weight that its loss does
            not depend on may have none.
    """

    step: int
    weights: dict[str, np.ndarray]
    slots: dict[str, dict[str, np.ndarray]]


class OriginalProgram(NamedTuple):
    """A program whose checkpoints of one kind of model are imported.

    Attributes:
        read: file or prefix -> checkpoint, its contents.
        options: checkpoint -> values of the flags that it determines.
        imported_state: (checkpoint, built model) -> its contents, laid out for the model.
        optimizer: makes the slots of weights that have none there.
        slots: that program's names of the optimizer's slots -> ours.
        undetermined: flags that shape the model and that no checkpoint determines.
        implied: other flags that go with the model.
    """

    read: Callable[[str], Any]
    options: Callable[[Any], dict[str, Any]]
    imported_state: Callable[[Any, TrainableModel], ImportedState]
    optimizer: Optimizer
    slots: Mapping[str, str]
    undetermined: tuple[str, ...] = ()
    implied: Mapping[str, str] = {}
