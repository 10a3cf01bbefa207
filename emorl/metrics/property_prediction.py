"""Prediction of an object's properties from its slot alone (Dittadi et al., ICML 2022, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from emorl.metrics.object_properties import Property, pairwise_loss
from emorl.metrics.slot_matching import NO_SLOT, assign_slots

#: Hidden layers of each predictor.
PREDICTORS = {"linear": 0, "mlp": 3}
MATCHINGS = ("mask", "loss")
_WIDTH = 256  # of hidden layers
_BATCH = 64  # scenes
_CHECKED_EVERY = 250  # steps
_PATIENCE, _PROGRESS = 3, 0.01  # checks; how far the loss must fall to count

#: Slots [N, K, D] -> predictions [N, K, P], or, of a single slot [N, 1, D], [N, E - 1, P].
Predictor = Callable[[tf.Tensor], tf.Tensor]


class SlotScenes(NamedTuple):
    """Slots of N scenes and the objects in them.

    Attributes:
        slots: float32 [N, K, D].
        targets: float32 [N, E, P], from `encode_properties`.
        is_object: bool [N, E], what is to be predicted.
        by_mask: int32 [N, E], the slots of the objects by their masks, from `slots_by_mask`; not read with
            matching by loss.
    """

    slots: np.ndarray
    targets: np.ndarray
    is_object: np.ndarray
    by_mask: np.ndarray


class PredictedObjects(NamedTuple):
    """Objects, and what is predicted of them.

    Attributes:
        targets: float32 [M, P].
        predicted: float32 [M, P].
    """

    targets: np.ndarray
    predicted: np.ndarray


def train_predictor(
    scenes: SlotScenes,
    properties: Sequence[Property],
    kind: str,
    matching: str,
    seed: int = 0,
    n_steps: int = 6000,
) -> Predictor:
    """Fits a predictor to slots that stay as they are.

    The loss is the mean of `pairwise_loss` over matched objects. With matching "loss", slots and objects are
    matched anew in every step so that it is least; with "mask", once and for all. Slots that no object gets
    are left to the background: they have no part in the loss. A single slot stands for the whole scene: all
    E - 1 objects that it may have are predicted from it, and matched to objects by loss.

    As in Dittadi et al.'s program: Adam at 1e-3, halved after a third and two thirds of the steps, batches of
    64 scenes, and an end when the loss of scenes held out (the last tenth) has not fallen by 0.01 in three
    checks. The weights of the best check are taken, and the inputs are standardized first, an affine map that
    either predictor could learn itself.

    Args:
        scenes: To learn from, two or more.
        properties: What the columns of targets are.
        kind: Of `PREDICTORS`: "linear", or "mlp" with three hidden layers of 256 and leaky ReLUs.
        matching: Of `MATCHINGS`; of a single slot, "loss".
        seed: Of initial weights and batches.
        n_steps: Most steps.
    """
    predictor = _make(kind, scenes.slots, scenes.targets.shape[1:], seed)
    rates = keras.optimizers.schedules.PiecewiseConstantDecay(
        [n_steps // 3, 2 * n_steps // 3], [1e-3, 5e-4, 2.5e-4]
    )
    optimizer = keras.optimizers.Adam(rates)
    optimizer.build(predictor.trainable_variables)
    arrays = [tf.constant(array) for array in scenes]
    n_fit = len(scenes.slots) - max(1, len(scenes.slots) // 10)
    batch = min(_BATCH, n_fit)

    def loss_of(rows):  # int64 [b]
        slots, targets, is_object, by_mask = (tf.gather(array, rows) for array in arrays)
        pairs = pairwise_loss(properties, targets, predictor(slots))  # [b, E, K]
        chosen = by_mask  # [b, E]
        if matching == "loss":
            chosen = tf.numpy_function(assign_slots, [pairs, is_object], tf.int32, stateful=False)  # [b, E]
            chosen = tf.ensure_shape(chosen, by_mask.shape)
        matched = tf.cast(chosen != NO_SLOT, tf.float32)  # [b, E]
        losses = tf.gather(pairs, tf.maximum(chosen, 0), axis=2, batch_dims=2)  # [b, E]
        return tf.math.divide_no_nan(tf.reduce_sum(matched * losses), tf.reduce_sum(matched))

    def fit(batches):  # int64 [n, b]
        for rows in batches:
            with tf.GradientTape() as tape:
                loss = loss_of(rows)
            gradients = tape.gradient(loss, predictor.trainable_variables)
            optimizer.apply(gradients, predictor.trainable_variables)

    # Concrete, as TensorFlow warns of a function that is defined, and so traced, for every predictor.
    fit = tf.function(fit).get_concrete_function(tf.TensorSpec([None, batch], tf.int64))
    loss_of_rows = tf.function(loss_of).get_concrete_function(tf.TensorSpec([None], tf.int64))
    rng = np.random.default_rng(seed)
    best, best_weights, checks = np.inf, predictor.get_weights(), 0
    for first in range(0, n_steps, _CHECKED_EVERY):
        n = min(_CHECKED_EVERY, n_steps - first)
        fit(tf.constant(np.stack([rng.choice(n_fit, batch, replace=False) for _ in range(n)])))
        loss = float(loss_of_rows(tf.range(n_fit, len(scenes.slots), dtype=tf.int64)))
        if loss < best - _PROGRESS:
            best, best_weights, checks = loss, predictor.get_weights(), 0
        elif (checks := checks + 1) == _PATIENCE:
            break
    predictor.set_weights(best_weights)
    return predictor


def predict_objects(
    predictor: Predictor,
    scenes: SlotScenes,
    properties: Sequence[Property],
    matching: str,
    without_slot: np.ndarray,
) -> PredictedObjects:
    """Predicts each object from its slot; matched by loss, this slot is the one that predicts it best.

    Args:
        predictor: From `train_predictor`.
        scenes: Others than it learned from.
        properties: What the columns of targets are.
        matching: As it learned.
        without_slot: float32 [P], what is predicted of objects beyond the number of slots.
    """
    predicted = predictor(tf.constant(scenes.slots))  # [N, K, P]
    slots = scenes.by_mask  # [N, E]
    if matching == "loss":
        slots = assign_slots(pairwise_loss(properties, scenes.targets, predicted).numpy(), scenes.is_object)
    scene, entity = np.nonzero(scenes.is_object)  # [M] both
    slot = slots[scene, entity]  # [M]
    of_slots = predicted.numpy()[scene, np.maximum(slot, 0)]  # [M, P]
    found = np.where((slot == NO_SLOT)[:, None], without_slot, of_slots)
    return PredictedObjects(scenes.targets[scene, entity], found)


def _make(kind, slots, targets_shape, seed):
    """Builds a predictor of slots [N, K, D] for targets [N, E, P], its weights drawn from the seed."""
    n_hidden = PREDICTORS[kind]
    seeds = np.random.default_rng([seed, 1]).integers(2**31, size=n_hidden + 1)
    initial = [keras.initializers.GlorotUniform(int(one)) for one in seeds]
    mean = slots.mean(axis=(0, 1), dtype=np.float64)  # [D]
    layers = [
        keras.Input(slots.shape[1:]),
        keras.layers.Normalization(mean=mean, variance=slots.var(axis=(0, 1))),
    ]
    for initializer in initial[:-1]:
        layers += [keras.layers.Dense(_WIDTH, kernel_initializer=initializer), keras.layers.LeakyReLU(0.01)]
    n_entities, n_outputs = targets_shape
    n_slots = slots.shape[1]
    of_each = n_entities - 1 if n_slots == 1 else 1  # objects that are predicted from a slot
    layers.append(keras.layers.Dense(of_each * n_outputs, kernel_initializer=initial[-1]))
    return keras.Sequential([*layers, keras.layers.Reshape([n_slots * of_each, n_outputs])])
