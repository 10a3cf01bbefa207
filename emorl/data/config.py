"""Which scenes, and what of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from discovery import UserError
from discovery.options import option, same_option
from emorl.configuration import SlotAttentionConfig

DATASETS = ("tetrominoes", "multi_dsprites", "clevr6", "clevr6_128", "clevrtex", "images")
#: Those that need no file.
GENERATED = ("tetrominoes", "multi_dsprites")
#: Side of the image for each `clevr_preprocess_style`; the empty style keeps CLEVR's 240x320.
STYLES = {"clevr-small": 96, "clevr-large": 128}
#: CLEVRTEX's.
VARIANTS = ("full", "pbg", "vbg", "grassbg", "camo", "outd")

_STYLE = {"clevr6": "clevr-small", "clevr6_128": "clevr-large"}
# The original trains its 128-pixel model on all of CLEVR, with 11 slots, whatever its config is called.
_MAX_OBJECTS = {"clevr6": 6, "clevr6_128": 10}
_N_TRAIN = {"tetrominoes": 60_000, "multi_dsprites": 60_000}


@dataclass(frozen=True)
class DataConfig:
    """Which scenes, and what of them; names as the original's `dataset.*`, where it has them."""

    dataset: str = option(
        "tetrominoes", f"What is learned: {', '.join(DATASETS)}; images: scenes of your own.", topic="Data"
    )
    data_path: str = option(
        "",
        "An .h5 or GZIP .tfrecords file, or a folder: CLEVRTEX's, one of images, one that holds --h5_path; "
        "empty: the generator.",
    )
    h5_path: str = option("", "Name of the file, where --data_path is a folder.")
    masks: bool = option(False, "Without effect as a flag: an evaluation reads masks where it needs them.")
    factors: bool = option(
        False, "Without effect as a flag: an evaluation reads factors where it needs them."
    )
    clevr_preprocess_style: str | None = option(
        None, f"{' or '.join(f'{style} ({size} pixels)' for style, size in STYLES.items())}; empty: no crop."
    )
    clevrtex_variant: str = option("full", f"Which CLEVRTEX: {', '.join(VARIANTS)}.")
    batch_size: int = option(16, "Global batch size, over all replicas.")
    seed: int = option(0, "Of the order of stored scenes and of the generated ones.", flag=False)
    shuffle: bool = option(True, "Shuffles stored training scenes anew each epoch.")
    n_train: int | None = option(
        None, "Scenes of the training set, of generators and TFRecords; by default all, or 60,000."
    )
    n_test: int = option(320, "Scenes of the test set, of generators and TFRecords.")
    max_objects: int | None = option(
        None, "CLEVR scenes with more objects are passed over; None: as the data set says.", flag=False
    )
    input_size: tuple[int, int, int] = same_option(SlotAttentionConfig, "input_size")

    def completed(self) -> DataConfig:
        """Fills the data set's defaults in; raises `UserError` for options that are wrong."""
        name = self.dataset
        if name not in DATASETS:
            raise UserError(f"--dataset={name}: unknown; choose one of {', '.join(DATASETS)}.")
        style = self.clevr_preprocess_style
        filled = dataclasses.replace(
            self,
            clevr_preprocess_style=_STYLE.get(name, "") if style is None else style,
            n_train=_N_TRAIN.get(name) if self.n_train is None else self.n_train,
            max_objects=_MAX_OBJECTS.get(name) if self.max_objects is None else self.max_objects,
        )
        if filled.clevr_preprocess_style and (name not in _STYLE or style not in (None, *STYLES)):
            known = ", ".join(STYLES)
            raise UserError(
                f"--clevr_preprocess_style={style}: one of {known}, and for CLEVR alone, not {name}."
            )
        for number in ("batch_size", "n_train", "n_test", "max_objects"):
            value = getattr(filled, number)
            if value is not None and value <= 0:
                raise UserError(f"--{number}={value}: must be positive.")
        if filled.seed < 0:
            raise UserError(f"--seed={filled.seed}: must not be negative.")
        if filled.clevrtex_variant not in VARIANTS:
            raise UserError(
                f"--clevrtex_variant={filled.clevrtex_variant}: choose one of {', '.join(VARIANTS)}."
            )
        return filled
