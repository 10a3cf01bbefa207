"""From a configuration to batches, for any source of scenes."""

from __future__ import annotations

import functools
from pathlib import Path

import tensorflow as tf

from discovery import DataSource, UserError
from discovery.experiments import function
from emorl.data import clevr, h5, multi_object_records, scene_folder
from emorl.data.clevrtex import clevrtex_rows, scene_files
from emorl.data.config import GENERATED, SCENE_SETS, DataConfig
from emorl.data.generated import Generator, generated_source
from emorl.data.masks import one_hot_masks
from emorl.data.stored import Rows, stored_source

_H5_GROUPS = {"train": ("train",), "valid": ("test", "val")}


def load(config: DataConfig) -> DataSource:
    """Opens a data set.

    Args:
        config: Which one, and what of it.

    Returns:
        Batches as pure functions of the step: "image" float32 [B, H, W, 3] in [0, 1]; if requested, "mask"
        uint8 [B, E, H', W'], 1 where entity e is (0 is the background), "factors" float32 [B, E, F] with
        columns `FACTORS[dataset]`, and "visibility" float32 [B, E]. H' is H except for CLEVR, whose masks
        stay at 192 pixels (E25). For a user's own scenes, E is what the scene with the most objects needs.
        Without `check_masks`, masks are as stored, 0 and 1 or 255, whether they are a partition or not.

    Raises:
        UserError: An option or a file is invalid, or the file lacks what is requested.
    """
    config = config.completed()
    path = _path(config)
    if path is None:
        if config.dataset not in GENERATED:
            raise UserError(f"--dataset={config.dataset} has no generator: give --data_path.")
        size = config.input_size[1]
        generators = (generator_of(config.dataset, variant, size) for variant in ("", config.variant))
        return generated_source(*generators, config)
    if config.dataset == "clevrtex":
        return _stored(lambda split: _clevrtex_rows(path, split, config), config)
    if config.dataset == "images" and path.is_dir():
        return _folder_source(path, config)
    signature = _first_bytes(path)
    if signature == h5.SIGNATURE:
        return _stored(lambda split: _h5_rows(path, split, config), config)
    if signature.startswith(multi_object_records.SIGNATURE):
        return multi_object_records.records_source(path, lambda raw: _to_batch(raw, config), config)
    raise UserError(f"{path}: is neither HDF5 nor GZIP TFRecords; give an .h5 or official .tfrecords file.")


def generator_of(dataset: str, variant: str = "", size: int | None = None) -> Generator:
    """Returns what draws the scenes of a data set of `GENERATED`, or of one of its variants.

    Args:
        dataset: Its name.
        variant: The name of a variant; empty: scenes as models are trained on.
        size: Height and width of the images, if the generator can draw any; None: the data set's own.
    """
    known = SCENE_SETS[dataset]
    options = dict(known.variants[variant]) if variant else {}
    if known.any_size and size is not None:
        options["size"] = size
    generate = function(GENERATED[dataset])
    return functools.partial(generate, **options) if options else generate


def has_masks(config: DataConfig) -> bool:
    """Whether validation scenes can be read with masks: an .h5 file or a folder of images may have none.

    Raises:
        UserError: An option or a file is invalid.
    """
    path = _path(config)
    if path is not None and config.dataset == "images" and path.is_dir():
        return bool(scene_folder.find_scenes(path).valid.masks)
    if path is not None and config.dataset != "clevrtex" and _first_bytes(path) == h5.SIGNATURE:
        return h5.has_masks(path, _H5_GROUPS["valid"])
    return True


def files_of(config: DataConfig) -> tuple[Path, ...]:
    """Returns the files that `load` reads, in the order of their names; none for generated scenes.

    Raises:
        UserError: A folder does not hold what it should.
    """
    path = _path(config)
    if path is None:
        return ()
    if not path.is_dir():
        return (path,)
    if config.dataset == "clevrtex":
        return scene_files(path, config.clevrtex_variant)
    found = scene_folder.find_scenes(path)
    sets = (found.train, found.valid)
    used = {file for s in sets for file in (*s.images, *(s.masks[i] for i in s.images if s.masks))}
    return tuple(sorted(used))


def _path(config):
    """Returns the path to read; None: the generator."""
    named = config.data_path or config.h5_path
    return Path(config.data_path, config.h5_path).expanduser() if named else None


def _first_bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read(len(h5.SIGNATURE))
    except IsADirectoryError:
        raise UserError(
            f"{path}: is a folder; name the file in it with --h5_path, or give --dataset=images for PNG and "
            "JPEG files."
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror}).") from error


def _stored(rows_of, config):
    """Returns the source of sets that are read by number; a missing set is an error only when requested."""
    sets = {}
    for split in ("train", "valid"):
        try:
            sets[split] = rows_of(split)
        except UserError as error:
            sets[split] = error
    if isinstance(sets["train"], UserError) and isinstance(sets["valid"], UserError):
        raise sets["train"]
    return stored_source(
        sets["train"],
        sets["valid"],
        lambda raw: _to_batch(raw, config),
        config.batch_size,
        config.seed,
        config.shuffle,
    )


def _folder_source(path, config):
    """Returns the source of PNG and JPEG files; a damaged one is an error, whichever set it belongs to."""
    size = config.input_size[-1]
    if tuple(config.input_size) != (3, size, size) or size < 1:
        given = ",".join(map(str, config.input_size))
        raise UserError(f"--input_size={given}: image files are read as 3,SIZE,SIZE.")
    if config.factors:
        raise UserError(f"{path}: image files have no factors; only an h5 file can have them.")
    found = scene_folder.find_scenes(path)
    rows = scene_folder.scene_rows(found, size, config.masks)
    decode = functools.partial(_to_batch, config=config)
    return stored_source(*rows, decode, config.batch_size, config.seed, config.shuffle)


def _clevrtex_rows(path, split, config) -> Rows:
    return clevrtex_rows(path, config.clevrtex_variant, split, config.masks, config.factors)


def _h5_rows(path, split, config) -> Rows:
    wanted = h5.Wanted(config.masks, config.factors, config.max_objects, config.check_masks)
    rows = h5.h5_rows(path, _H5_GROUPS[split], wanted)
    if config.clevr_preprocess_style:
        clevr.check_raw_size(*rows.signature["image"].shape[1:3], where=str(path))
    return rows


def _to_batch(raw, config):
    """Converts stored scenes to what a model reads."""
    style = config.clevr_preprocess_style
    image = clevr.crop_and_resize(raw["image"], style) if style else raw["image"]
    batch = {"image": tf.cast(image, tf.float32) / 255.0}  # [B, H, W, 3]
    if config.masks:
        masks = clevr.crop_masks(raw["mask"]) if style else raw["mask"]  # [B, E, H', W']
        where = str(Path(config.data_path, config.h5_path))
        batch["mask"] = one_hot_masks(masks, where) if config.check_masks else masks
    if config.factors:
        batch |= {"factors": raw["factors"], "visibility": raw["factors"][..., -1]}
    return batch
