"""Constellations: points that are the corners of a few shapes, each moved, rotated and scaled as one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from discovery import DataSource, PureBatches, Seed, UserError
from stacked_capsules.data.config import NAMED_GROUPS, DataConfig

#: Corners (x, y) of the basic patterns: square, triangle, pentagon, L.
PATTERNS = (
    np.array([[3, 3], [1, 1], [3, 1], [1, 3]]),
    np.array([[1, 2], [3, 1], [3, 3]]),
    np.array([[1, 1], [2, -1], [3, 0], [3, 2], [2, 3]]),
    np.array([[1, 1], [2, 1], [3, 1], [3, 2], [3, 3]]),
)
#: Coordinates are normalized together over this many batches, absent points included.
CHUNK = 100
#: Width of the range of translations.
EXTENT = 24.0

TRAIN, VALID = range(2)


class Draws(NamedTuple):
    """What is random in n examples of G objects with N points in total.

    Attributes:
        rotation: float [n, G], uniform in [0, 1).
        scale: float [n, G], uniform in [0, 1).
        translation: float [n, G, 2], uniform in [0, 1).
        presence: float [n, G], 0 or 1.
        order: int [n, N], a permutation for each example; None keeps the corners in the patterns' order.
        noise: float [n, N, 2], standard normal; None: no noise.
    """

    rotation: tf.Tensor
    scale: tf.Tensor
    translation: tf.Tensor
    presence: tf.Tensor
    order: tf.Tensor | None
    noise: tf.Tensor | None


def stream(config: DataConfig) -> DataSource:
    """Generates constellations on the fly; training and validation are separate streams, both endless.

    `whole` is the first `n_examples` of either, made with the final scales of a schedule.
    """
    groups = groups_of(config)
    seed = Seed.of(config.seed)

    def chunk(number, purpose, final):
        n = CHUNK * config.batch_size
        draws = random_draws(
            seed.fold(purpose).fold(number),
            n,
            groups,
            config.drop_prob,
            config.shuffle_corners,
            config.gaussian_noise > 0.0,
        )
        upscale = config.max_scale if final else _upscale(config, number * CHUNK)
        return constellations(
            draws, groups, config.rotation_percent, config.max_translation, upscale, config.gaussian_noise
        )

    def batches_of(number, purpose):
        examples = chunk(number, purpose, final=False)
        return {k: tf.reshape(v, [CHUNK, config.batch_size, *v.shape[1:]]) for k, v in examples.items()}

    def between(_, first: tf.Tensor, n: int) -> Callable[[tf.Tensor], dict]:
        n_chunks = (n + CHUNK - 2) // CHUNK + 1  # that n steps may touch
        start = first // CHUNK
        chunks = [batches_of(start + i, TRAIN) for i in range(n_chunks)]
        batches = {k: tf.concat([c[k] for c in chunks], 0) for k in chunks[0]}  # [n_chunks * CHUNK, B, ...]
        return lambda step: {k: tf.gather(v, step - start * CHUNK) for k, v in batches.items()}

    def endless(purpose: int) -> Callable[[int], tf.data.Dataset]:
        def batches(number):
            return tf.data.Dataset.from_tensor_slices(batches_of(number, purpose))

        def start_at(start: int) -> tf.data.Dataset:
            first, done = divmod(int(start), CHUNK)
            each = tf.data.Dataset.counter(first).flat_map(batches).skip(done)
            endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
            return each.apply(endless).prefetch(CHUNK)

        return start_at

    def whole(name: str) -> tf.data.Dataset:
        if name not in ("train", "valid"):
            raise UserError(f"{name}: there is no such set; choose train or valid")
        purpose = TRAIN if name == "train" else VALID

        def examples(number):
            return tf.data.Dataset.from_tensor_slices(chunk(number, purpose, final=True))

        each = tf.data.Dataset.counter().flat_map(examples).take(config.n_examples)
        n_batches = -(-config.n_examples // config.batch_size)
        return each.batch(config.batch_size).apply(tf.data.experimental.assert_cardinality(n_batches))

    sets = {"train": "generated on the fly", "valid": f"{config.n_examples:,} examples, generated"}
    return DataSource(endless(TRAIN), endless(VALID), whole, PureBatches(lambda n_steps: {}, between), sets)


def constellations(
    draws: Draws,
    groups: tuple[tuple[int, ...], ...],
    rotation_percent: float,
    max_translation: float,
    max_upscale: float | tf.Tensor,
    gaussian_noise: float,
) -> dict[str, tf.Tensor]:
    """Builds examples from random draws alone.

    Each object's corners are rotated by up to +-pi * rotation_percent, scaled by 1 to 1 + max_upscale, and
    moved by up to 24 * max_translation *divided by the scale*, as in the original. All n examples are
    normalized to [-1, 1] together, absent objects included.

    Returns:
        "corners" float32 [n, N, 2]; "presence" float32 [n, N], 0 or 1; "pattern_presence" float32 [n, G];
        "pattern_id" int64 [n, N], the object in 0..G-1 that a point belongs to.
    """
    rotation, scale, translation, presence = (tf.cast(d, tf.float32) for d in draws[:4])
    layouts = [layout(group) for group in groups]  # G times [N_g, 2]
    points = tf.constant(np.concatenate(layouts), tf.float32)  # [N, 2]
    owner = np.repeat(np.arange(len(groups)), [len(corners) for corners in layouts])  # [N]

    angle = (rotation - 0.5) * (2.0 * math.pi * rotation_percent)  # [n, G]
    scale = 1.0 + scale * max_upscale  # [n, G]
    shift = translation * (EXTENT * max_translation) / scale[..., None]  # [n, G, 2]
    cos, sin = (tf.gather(f(angle) * scale, owner, axis=1) for f in (tf.cos, tf.sin))  # [n, N]
    x = points[:, 0] * cos - points[:, 1] * sin  # [n, N]
    y = points[:, 0] * sin + points[:, 1] * cos  # [n, N]
    corners = tf.stack([x, y], axis=-1) + tf.gather(shift, owner, axis=1)  # [n, N, 2]
    point_presence = tf.gather(presence, owner, axis=1)  # [n, N]
    pattern_id = tf.broadcast_to(tf.constant(owner, tf.int64), tf.shape(point_presence))  # [n, N]
    if draws.order is not None:
        corners, point_presence, pattern_id = (
            tf.gather(t, draws.order, batch_dims=1) for t in (corners, point_presence, pattern_id)
        )
    if draws.noise is not None:
        corners += gaussian_noise * tf.cast(draws.noise, tf.float32)
    low, high = tf.reduce_min(corners), tf.reduce_max(corners)
    return {
        "corners": (corners - low) / (high - low + 1e-8) * 2.0 - 1.0,
        "presence": point_presence,
        "pattern_presence": presence,
        "pattern_id": pattern_id,
    }


def layout(group: tuple[int, ...]) -> np.ndarray:
    """Returns the corners int [N_g, 2] of one object before it is moved.

    Several pattern ids make a compound: each further pattern, enlarged by its position in the group (2, 3,
    ...), has a copy of everything before it at each of its corners.
    """
    corners = np.zeros([1, 2], np.int64)
    for place, pattern in enumerate(group):
        corners = (corners + (place + 1) * PATTERNS[pattern][:, None]).reshape(-1, 2)  # [N_g, 2]
    return corners


def random_draws(
    seed: Seed,
    n: int,
    groups: tuple[tuple[int, ...], ...],
    drop_prob: float,
    shuffle_corners: bool,
    noisy: bool,
) -> Draws:
    """Draws everything that is random in n examples."""
    n_groups, n_points = len(groups), sum(len(layout(group)) for group in groups)
    keys = seed.fold(4).uniform([n, n_points])  # [n, N]
    return Draws(
        rotation=seed.fold(0).uniform([n, n_groups]),
        scale=seed.fold(1).uniform([n, n_groups]),
        translation=seed.fold(2).uniform([n, n_groups, 2]),
        presence=tf.cast(seed.fold(3).uniform([n, n_groups]) >= drop_prob, tf.float32),
        order=tf.argsort(keys, axis=1) if shuffle_corners else None,
        noise=seed.fold(5).normal([n, n_points, 2]) if noisy else None,
    )


def groups_of(config: DataConfig) -> tuple[tuple[int, ...], ...]:
    """Returns which patterns make up each object, or raises a UserError for options out of range."""
    groups = config.which_patterns
    if isinstance(groups, str):
        if groups not in NAMED_GROUPS:
            raise UserError(f"which_patterns={groups}: choose basic, all, or groups of ids like ((0,), (1,))")
        groups = NAMED_GROUPS[groups]
    ids = range(len(PATTERNS))
    if not groups or not all(len(group) and all(i in ids for i in group) for group in groups):
        raise UserError(
            f"which_patterns={groups}: each group needs at least one id from 0 to {len(PATTERNS) - 1}"
        )
    if not 0.0 <= config.drop_prob <= 1.0:
        raise UserError(f"drop_prob={config.drop_prob}: must lie in [0, 1]")
    if config.use_scale_schedule and config.schedule_steps < 1:
        raise UserError(f"schedule_steps={config.schedule_steps}: a scale schedule needs at least 1 step")
    if config.n_examples < 1:
        raise UserError(f"n_examples={config.n_examples}: must be at least 1")
    return tuple(tuple(group) for group in groups)


def _upscale(config, step):
    """Returns the width of the range of scales of the chunk that begins with batch `step`."""
    if not config.use_scale_schedule:
        return config.max_scale
    grown = (config.max_scale - config.min_scale) * tf.cast(step, tf.float32) / config.schedule_steps
    return tf.minimum(config.min_scale + grown, config.max_scale)
