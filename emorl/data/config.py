"""Which scenes, and what of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from discovery import UserError

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
    """Which scenes, and what of them; names as the original's `dataset.*`, where it has them.

    Attributes:
        dataset: One of `DATASETS`.
        data_path: A file (.h5 or GZIP .tfrecords), CLEVRTEX's folder, for "images" a folder of PNG and JPEG
            files, or a folder that holds `h5_path`; empty: the generator, for data sets that have one.
        h5_path: Name of the file inside `data_path`.
        batch_size: Of the global batch.
        seed: Of the order of stored scenes and of the generated ones.
        masks: Whether batches hold "mask".
        factors: Whether batches hold "factors" and "visibility".
        clevr_preprocess_style: "clevr-small" (96 pixels), "clevr-large" (128), or empty for no crop;
            None: as the data set says.
        shuffle: Whether stored training scenes are shuffled.
        n_train: Size of the training set, of TFRecords and of `whole("train")` of a generator; None: as the
            data set says (60,000, all of CLEVR). An h5 file and CLEVRTEX have a training set of their own.
        n_test: Size of the test set, of TFRecords and generators.
        max_objects: CLEVR scenes with more objects are skipped; None: as the data set says.
        clevrtex_variant: Which of CLEVRTEX's variants.
        input_size: (3, H, W) with H = W, that PNG and JPEG files are brought to; others stay as they are.
    """

    dataset: str = "tetrominoes"
    data_path: str = ""
    h5_path: str = ""
    batch_size: int = 32
    seed: int = 0
    masks: bool = False
    factors: bool = False
    clevr_preprocess_style: str | None = None
    shuffle: bool = True
    n_train: int | None = None
    n_test: int = 320
    max_objects: int | None = None
    clevrtex_variant: str = "full"
    input_size: tuple[int, int, int] = (3, 64, 64)

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
        for option in ("batch_size", "n_train", "n_test", "max_objects"):
            value = getattr(filled, option)
            if value is not None and value <= 0:
                raise UserError(f"--{option}={value}: must be positive.")
        if filled.seed < 0:
            raise UserError(f"--seed={filled.seed}: must not be negative.")
        if filled.clevrtex_variant not in VARIANTS:
            raise UserError(
                f"--clevrtex_variant={filled.clevrtex_variant}: choose one of {', '.join(VARIANTS)}."
            )
        return filled
