"""Scenes drawn on demand: an endless training stream and a fixed test set, which never share seeds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from discovery import DataSource, PureBatches, Seed
from emorl.data.config import DataConfig
from emorl.data.stored import Rows, batches_in_order

TRAIN, TEST = 0, 1  # what the seeds of the two sets are folded with
_CHUNK = 64  # scenes of a stored set are drawn in chunks, so that larger sets begin like smaller ones


class Scenes(NamedTuple):
    """Scenes as in the h5 files, except for masks.

    Attributes:
        image: uint8 [n, H, W, 3].
        mask: uint8 [n, E, H, W], 1 where entity e is in front; entity 0 is the background.
        factors: float32 [n, E, F], columns as in `FACTORS`.
    """

    image: tf.Tensor
    mask: tf.Tensor
    factors: tf.Tensor


#: (seed, number of scenes) -> Scenes.
Generator = Callable[[Seed, int], Scenes]


def generated_source(generate: Generator, generate_test: Generator, config: DataConfig) -> DataSource:
    """Returns batches of generators: step s of a run's seed is always the same batch.

    The test set is the same for every run: its seed does not depend on the run's.

    Args:
        generate: Draws training scenes.
        generate_test: Draws test scenes; the same, unless these are a variant.
        config: Sizes, seed and what is wanted of the scenes.
    """
    run_seed = Seed.of(config.seed).fold(TRAIN)

    def batch(step: tf.Tensor) -> dict[str, tf.Tensor]:
        return _batch(generate(run_seed.fold(step), config.batch_size), config)

    def train(start_step: int) -> tf.data.Dataset:
        steps = tf.data.Dataset.range(start_step, tf.int64.max)
        return steps.map(
            batch,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        ).prefetch(tf.data.AUTOTUNE)

    @functools.cache
    def test_set() -> Rows:
        scenes = draw_set(generate_test, Seed.of(0).fold(TEST), config.n_test)
        arrays = {name: value.numpy() for name, value in _batch(scenes, config).items()}
        return Rows.of_arrays(arrays)

    def valid(start: int) -> tf.data.Dataset:
        return batches_in_order(test_set(), config.batch_size, start=start, repeat=True)

    def whole(name: str) -> tf.data.Dataset:
        if name == "valid":
            return batches_in_order(test_set(), config.batch_size)
        return train(0).unbatch().take(config.n_train).batch(config.batch_size)

    variant = f" ({config.variant})" if config.variant else ""
    told = f"{config.n_test:,} scenes, generated{variant}"
    sets = {"train": "scenes generated on the fly", "valid": told}
    return DataSource(train, valid, whole, PureBatches(lambda n_steps: {}, lambda *_: batch), sets)


def draw_set(generate: Generator, seed: Seed, n: int, first: int = 0) -> Scenes:
    """Draws scenes [first, first + n) of the set that `seed` determines; `first` is a multiple of 64."""
    draw = _compiled(generate)
    chunks = range(first // _CHUNK, -(-(first + n) // _CHUNK))
    with tf.device("CPU"):
        parts = [draw(seed.fold(np.int64(chunk)).key) for chunk in chunks]
        return Scenes(*(tf.concat(field, axis=0)[:n] for field in zip(*parts, strict=True)))


@functools.cache
def _compiled(generate):
    return tf.function(lambda key: generate(Seed(key), _CHUNK))


def _batch(scenes: Scenes, config: DataConfig) -> dict[str, tf.Tensor]:
    batch = {"image": tf.cast(scenes.image, tf.float32) / 255.0}
    if config.masks:
        batch["mask"] = scenes.mask
    if config.factors:
        batch |= {"factors": scenes.factors, "visibility": scenes.factors[..., -1]}
    return batch
