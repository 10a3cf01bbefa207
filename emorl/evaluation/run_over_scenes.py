"""Runs a model over the first test scenes, as many at a time as its size allows.

That number does not depend on how the data are batched, so neither do results, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tensorflow as tf
from tqdm import tqdm

from discovery import Batch, DataSource, TrainableModel, UserError

#: Maximum images at a time, and pixels of all their slots: a few hundred MB of a decoder's activations.
MOST_IMAGES, MOST_PIXELS = 16, 2**19


def over_scenes(
    model: TrainableModel,
    source: DataSource,
    n_images: int,
    compute: Callable[[tf.Tensor], Any],
    reads: Iterable[str] = (),
    split: str = "valid",
) -> Iterator[tuple[Batch, Any]]:
    """Yields what `compute`, compiled once, returns for the first test scenes, or training scenes.

    Args:
        model: EfficientMORL or Slot Attention.
        source: The data.
        n_images: Number of scenes; fewer if the set is smaller.
        compute: images [b, H, W, 3] -> a structure of tensors [b, ...] (and of None).
        reads: What else is needed of the batches, besides "image".
        split: "valid" for test scenes, or "train".

    Yields:
        Scenes and what was computed from them, with the same number of rows.

    Raises:
        UserError: There are no scenes, or the data lack what is needed.
    """
    if n_images < 1:
        raise UserError(f"--num_images_to_process={n_images}: must be positive.")
    names = ["image", *reads]
    check_holds(source, names, split)
    scenes = source.whole(split)
    size = images_at_a_time(model)
    scenes = scenes.map(lambda batch: {name: batch[name] for name in names})
    scenes = scenes.unbatch().take(n_images).batch(size)
    compiled = tf.function(compute)
    found = False
    for scene in tqdm(scenes, desc="Evaluating", unit="batch", leave=False, disable=None):
        found = True
        n = int(scene["image"].shape[0])
        computed = compiled(filled_up(scene["image"], size))
        yield scene, tf.nest.map_structure(lambda rows, n=n: None if rows is None else rows[:n], computed)
    if not found:
        raise UserError(
            f"the {'test' if split == 'valid' else 'training'} set holds no scenes: check the data set."
        )


def check_holds(source: DataSource, names: Iterable[str], split: str = "valid") -> None:
    """Raises a `UserError` unless the scenes of a split hold all that is named."""
    held = source.whole(split).element_spec
    lacking = [name for name in names if name not in held]
    if lacking:
        raise UserError(
            f"the data hold no {' and no '.join(lacking)}, which this evaluation needs: use data that do, "
            "and request them (DataConfig's masks and factors)."
        )


def has_masks(source: DataSource) -> bool:
    """Whether the test scenes come with masks."""
    return "mask" in source.whole("valid").element_spec


def images_at_a_time(model: TrainableModel) -> int:
    """Returns how many images a model takes at a time in evaluation."""
    return max(1, min(MOST_IMAGES, MOST_PIXELS // (model.config.K * model.config.size**2)))


def filled_up(rows: tf.Tensor, n: int) -> tf.Tensor:
    """Pads with copies of the first row to n rows, so that every call has the shape that was compiled."""
    missing = n - int(rows.shape[0])
    return tf.concat([rows, tf.repeat(rows[:1], missing, axis=0)], axis=0) if missing else rows
