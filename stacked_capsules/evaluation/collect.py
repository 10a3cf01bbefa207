"""Runs a model over a whole data set, and keeps the outputs that evaluation needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from discovery import Batch, Seed, TrainableModel, UserError

Infer = Callable[[Batch, tf.Tensor], dict[str, tf.Tensor]]


def compiled_inference(
    model: TrainableModel, pick: Callable[[Batch, Any], dict[str, tf.Tensor]], seed: int = 0
) -> Infer:
    """Compiles (batch, its index) -> `pick(batch, outputs)`, tensors whose first axis is the batch.

    `seed` is for layers with noise at evaluation too (`eval_noise`); each batch has its own noise.
    """

    @tf.function
    def infer(batch, index):
        outputs = model(model.inputs_of(batch), training=False, seed=Seed.of(seed).fold(index))
        return pick(batch, outputs)

    return infer


def collect(infer: Infer, batches: Iterable[Batch], n_examples: int | None = None) -> dict[str, np.ndarray]:
    """Runs compiled inference over batches of one size, the last of which may be smaller.

    A smaller batch is padded to that size and the surplus cut off, so that nothing is retraced.

    Args:
        infer: from `compiled_inference`.
        batches: what to run it over.
        n_examples: where to stop; by default, when the batches end.

    Returns:
        The picked outputs of all examples in order, each [N, ...].

    Raises:
        UserError: there are no examples, or fewer than `n_examples`.
    """
    kept, n_kept, batch_size = [], 0, None
    for index, batch in enumerate(tqdm(batches, desc="Evaluating", unit="batch", leave=False, disable=None)):
        n_rows = int(next(iter(batch.values())).shape[0])
        batch_size = batch_size or n_rows
        picked = infer(filled_up(batch, batch_size - n_rows), tf.constant(index))
        kept.append({name: value[:n_rows].numpy() for name, value in picked.items()})
        n_kept += n_rows
        if n_examples is not None and n_kept >= n_examples:
            break
    if n_kept < (n_examples or 1):
        raise UserError(f"evaluation: {n_kept} examples of {n_examples or 1} requested; check the data set")
    return {name: np.concatenate([picked[name] for picked in kept])[:n_examples] for name in kept[0]}


def filled_up(batch: Batch, n_missing: int) -> Batch:
    """Appends `n_missing` copies of a batch's first row."""
    if n_missing <= 0:
        return batch
    return {
        name: tf.concat([value, tf.repeat(value[:1], n_missing, axis=0)], axis=0)
        for name, value in batch.items()
    }
