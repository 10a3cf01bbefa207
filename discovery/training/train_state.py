"""What a run carries from one step to the next, as tf.Variables with names."""

from __future__ import annotations

from collections import Counter
from typing import Any

import tensorflow as tf

from discovery import TrainableModel
from discovery.distributed.replicas import Replicas
from discovery.snapshots import GLOBAL_STEP
from discovery.training.optimizers import Optimizer, Slots
from discovery.training.step import Variables


class TrainState:
    """The model's weights, the optimizer's slots and the step, for a model built in the replicas' scope.

    Attributes:
        step: int64 [], number of steps taken.
        fault: int64 [], number of steps taken before the one that went wrong; -1: none did.
    """

    def __init__(self, model: TrainableModel, optimizer: Optimizer, replicas: Replicas):
        self._replicas = replicas
        self._trainable = [weight.value for weight in model.trainable_weights]
        self._non_trainable = [weight.value for weight in model.non_trainable_weights]
        if not self._trainable:
            raise ValueError("the model has no trainable weights: build it before training")
        if replicas.n > 1 and not hasattr(self._trainable[0], "values"):
            raise ValueError(
                "build the model inside `with replicas.scope():`, so that every replica has a copy"
            )
        slots = optimizer.init([tf.convert_to_tensor(variable) for variable in self._trainable])
        with replicas.scope():
            self._slots = {
                kind: [tf.Variable(value, trainable=False) for value in values]
                for kind, values in slots.items()
            }
            self.step = tf.Variable(0, trainable=False, dtype=tf.int64)
            self.fault = tf.Variable(-1, trainable=False, dtype=tf.int64)
        self.named = self._names(model)

    def read(self) -> tuple[Variables, Slots]:
        """Returns the values that the calling replica holds."""
        return (
            Variables(_values(self._trainable), _values(self._non_trainable)),
            {kind: _values(variables) for kind, variables in self._slots.items()},
        )

    def assign(self, variables: Variables, slots: Slots, step: Any, fault: Any) -> None:
        """Assigns what every replica has computed, in cross-replica context."""
        self._replicas.assign(self._trainable, variables.trainable)
        self._replicas.assign(self._non_trainable, variables.non_trainable)
        for kind, values in slots.items():
            self._replicas.assign(self._slots[kind], values)
        self._replicas.assign([self.step, self.fault], [step, fault])

    def _names(self, model):
        paths = [weight.path for weight in model.trainable_weights]
        pairs = list(zip(paths, self._trainable, strict=True))
        pairs += [(w.path, v) for w, v in zip(model.non_trainable_weights, self._non_trainable, strict=True)]
        for kind, variables in self._slots.items():
            pairs += [(f"{path}/{kind}", v) for path, v in zip(paths, variables, strict=True)]
        pairs.append((GLOBAL_STEP, self.step))
        twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        if twice:
            raise ValueError(f"weights share a name; name their layers apart: {', '.join(twice)}")
        return dict(pairs)


def _values(variables):
    return [tf.convert_to_tensor(variable) for variable in variables]
