"""CLEVRTEX from its published folder of images, masks and JSON, cropped and resized as its evaluator does."""

from __future__ import annotations

import concurrent.futures
import json
import re
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from discovery import UserError
from emorl.data.stored import Rows

SIZE = 128
MAX_ENTITIES = 11  # the ground and ten objects
#: Which part of the scenes, in the order of their numbers. "outd" is not split: all of it is for testing.
SPLITS = {"valid": (0.0, 0.1), "train": (0.2, 1.0)}

_CROPPED = 0.8  # of the shorter side
_WINDOW = 64  # scenes read at a time; shuffling covers all of them anyway


def clevrtex_rows(folder: Path, variant: str, split: str, masks: bool, factors: bool) -> Rows:
    """Returns the scenes of one part of the data set.

    Args:
        folder: The folder of the variant (`clevrtex_full`), or the one that holds it.
        variant: One of `VARIANTS` of `config.py`.
        split: "train" (from 20 % on) or "valid" (its test part, the first 10 %).
        masks: Whether to read masks.
        factors: Whether to read factors.

    Returns:
        Rows of "image" uint8 [n, 128, 128, 3] and, if requested, "mask" uint8 [n, 11, 128, 128] (0 and 1)
        and "factors" float32 [n, 11, 5]: rotation, then size, material and shape as indices into the sorted
        list of values that occur, and visibility.

    Raises:
        UserError: The folder is not laid out like the published one.
    """
    scenes = _index(folder, variant)
    if variant == "outd":
        if split == "train":
            raise UserError("--clevrtex_variant=outd is only for testing; train on another variant.")
        chosen = scenes
    else:
        start, end = (int(part * len(scenes)) for part in SPLITS[split])
        chosen = scenes[start:end]
    if not chosen:
        raise UserError(f"{folder}: {len(scenes)} scenes leave none for {split}.")
    codes = _vocabulary(scenes) if factors else {}
    signature = {"image": tf.TensorSpec([None, SIZE, SIZE, 3], tf.uint8)}
    if masks:
        signature["mask"] = tf.TensorSpec([None, MAX_ENTITIES, SIZE, SIZE], tf.uint8)
    if factors:
        signature["factors"] = tf.TensorSpec([None, MAX_ENTITIES, 2 + len(_DISCRETE)], tf.float32)

    def one_scene(path):
        scene = {"image": _image(path)}
        if masks:
            scene["mask"] = _mask(path)
        if factors:
            scene["factors"] = _factors(path, codes)
        return scene

    def open_():
        pool = concurrent.futures.ThreadPoolExecutor(4)  # Pillow decodes outside Python's lock

        def read(rows):
            read_scenes = list(pool.map(one_scene, [chosen[row] for row in rows]))
            return {name: np.stack([scene[name] for scene in read_scenes]) for name in signature}

        return read

    open_()(np.arange(1))  # so that an unreadable file is reported now
    return Rows(len(chosen), open_, signature, run=1, window=_WINDOW, place=f"in {folder}, {split}")


def scene_files(folder: Path, variant: str) -> tuple[Path, ...]:
    """Returns the images, masks and descriptions of all scenes, scene by scene, those that exist.

    Raises:
        UserError: The folder is not laid out as the published one.
    """
    beside = [(p, p.with_name(f"{p.stem}_flat.png"), p.with_suffix(".json")) for p in _index(folder, variant)]
    return tuple(path for of_scene in beside for path in of_scene if path.is_file())


def _index(folder, variant):
    """Returns the paths of all scenes' images, by number, without gaps."""
    name = f"clevrtex_{variant}"
    root = folder if folder.name == name else folder / name
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; --data_path is {name} or the folder that holds it.")
    pattern = re.compile(rf"CLEVRTEX_{variant}_(\d{{6}})\.png", re.IGNORECASE)
    scenes = {}
    for path in sorted(root.rglob("*.png")):
        match = pattern.fullmatch(path.name)
        if match:
            if int(match[1]) in scenes:
                raise UserError(f"{root}: scene {match[1]} exists twice ({path}).")
            scenes[int(match[1])] = path
    if not scenes:
        raise UserError(f"{root}: holds no files like CLEVRTEX_{variant}_000000.png.")
    missing = sorted(set(range(max(scenes) + 1)) - set(scenes))
    if missing:
        raise UserError(f"{root}: {len(missing)} scenes are missing; the first is number {missing[0]:06d}.")
    return [scenes[i] for i in range(len(scenes))]


def _image(path):
    with _opened(path) as image:
        resized = _square(image.convert("RGB")).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(resized)  # [128, 128, 3]


def _mask(path):
    path = path.with_name(f"{path.stem}_flat.png")
    with _opened(path) as image:
        labels = np.asarray(_square(image).resize((SIZE, SIZE), Image.Resampling.NEAREST))  # [128, 128]
    if labels.ndim != 2 or labels.max() >= MAX_ENTITIES:
        raise UserError(f"{path}: expected one channel of entity numbers below {MAX_ENTITIES}.")
    return (labels == np.arange(MAX_ENTITIES)[:, None, None]).astype(np.uint8)  # [11, 128, 128]


def _square(image):
    """Crops the center."""
    side = int(_CROPPED * min(image.size))
    left, top = ((extent - side) // 2 for extent in image.size)
    return image.crop((left, top, left + side, top + side))


def _opened(path):
    try:
        image = Image.open(path)
        image.load()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error}).") from error
    return image


_DISCRETE = ("size", "material", "shape")


def _objects(path):
    path = path.with_suffix(".json")
    try:
        return json.loads(path.read_text())["objects"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: cannot be read as a scene's description ({error!r}).") from error


def _vocabulary(scenes):
    """Numbers the sizes, materials and shapes that occur: {name: {value: index}}."""
    seen = {name: set() for name in _DISCRETE}
    for path in scenes:
        for item in _objects(path):
            for name in _DISCRETE:
                seen[name].add(item[name])
    return {name: {value: i for i, value in enumerate(sorted(values))} for name, values in seen.items()}


def _factors(path, codes):
    factors = np.zeros([MAX_ENTITIES, 2 + len(_DISCRETE)], np.float32)
    factors[0, -1] = 1  # the ground
    for row, item in zip(factors[1:], _objects(path), strict=False):
        row[:] = [item["rotation"], *(codes[name][item[name]] for name in _DISCRETE), 1]
    return factors
