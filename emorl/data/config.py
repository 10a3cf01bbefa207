"""Which scenes to read, and what of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from discovery import UserError
from discovery.options import option, same_option
from emorl.configuration import SlotAttentionConfig
from emorl.data.factors import Factor, columns

#: Side of the image for each `clevr_preprocess_style`; the empty style keeps CLEVR's 240x320.
STYLES = {"clevr-small": 96, "clevr-large": 128}
#: CLEVRTEX's.
VARIANTS = ("full", "pbg", "vbg", "grassbg", "camo", "outd")


@dataclass(frozen=True)
class SceneSet:
    """What is known about a data set.

    Attributes:
        factors: columns of "factors"; entity 0 is the background, its columns are 0 but for visibility.
        generator: "module:function" that draws its scenes if no file is given; None: there is none.
        n_train: number of training scenes; None: as many as the file has.
        style: its `clevr_preprocess_style`.
        max_objects: scenes with more objects are skipped; None: none is.
        variants: shifts of its distribution, which evaluations take -> what the generator is told for them.
        any_size: the generator draws images of any `size`, not of one alone.
    """

    factors: tuple[Factor, ...] = ()
    generator: str | None = None
    n_train: int | None = None
    style: str = ""
    max_objects: int | None = None
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    any_size: bool = False


#: The variant whose scenes need a slot more.
MORE_OBJECTS = "more_objects"
# Each differs in one thing alone from what models are trained on (after Dittadi et al., ICML 2022).
_TETROMINOES = {
    "occlusion": {"overlap": True},
    "scale": {"blocks": (4, 6)},  # instead of 5 pixels
    # the six hues between those of training
    "color": {"colors": ((1, 0.5, 0), (0.5, 1, 0), (0, 1, 0.5), (0, 0.5, 1), (0.5, 0, 1), (1, 0, 0.5))},
    MORE_OBJECTS: {"n_pieces": 4},
    "translation": {"cut": True},
}
_MULTI_DSPRITES = {
    "scale": {"scales": (0.3, 0.4, 1.1, 1.2)},  # instead of 0.5 to 1
    "color": {"values": (0.2, 0.5)},  # darker than those of training, and not so dark that none is seen
    MORE_OBJECTS: {"n_sprites": (6, 6)},
    "translation": {"positions": (-0.5, 1.5)},  # centers anywhere on the canvas
}

_CLEVR = columns("x y z rotation", "size material shape color")

SCENE_SETS = {
    "tetrominoes": SceneSet(
        columns("x y", "shape red green blue"),
        "emorl.data.tetrominoes:tetromino_scenes",
        n_train=60_000,
        variants=_TETROMINOES,
    ),
    "multi_dsprites": SceneSet(
        columns("x y orientation scale red green blue", "shape"),
        "emorl.data.multi_dsprites:multi_dsprites_scenes",
        n_train=60_000,
        variants=_MULTI_DSPRITES,
        any_size=True,
    ),
    "clevr6": SceneSet(_CLEVR, style="clevr-small", max_objects=6),
    # The original trains its 128-pixel model on all of CLEVR, with 11 slots, despite its config's name.
    "clevr6_128": SceneSet(_CLEVR, style="clevr-large", max_objects=10),
    "clevrtex": SceneSet(columns("rotation", "size material shape")),
    "images": SceneSet(),
}
DATASETS = tuple(SCENE_SETS)
#: Data sets that need no file -> what draws them.
GENERATED = {name: known.generator for name, known in SCENE_SETS.items() if known.generator}
_VARIANT_HELP = "; ".join(f"{name}: {', '.join(SCENE_SETS[name].variants)}" for name in GENERATED)
#: Data sets with factors -> the columns of "factors".
FACTORS = {name: known.factors for name, known in SCENE_SETS.items() if known.factors}


@dataclass(frozen=True)
class DataConfig:
    """Which scenes to read, and what of them, with the original's names (`dataset.*`) where it has them."""

    dataset: str = option(
        "tetrominoes", f"Data set: {', '.join(DATASETS)}; images: your own scenes.", topic="Data"
    )
    data_path: str = option(
        "",
        "An .h5 or GZIP .tfrecords file, or a folder: CLEVRTEX's, one of images, or one that holds "
        "--h5_path; empty: the generator.",
        path=True,
    )
    h5_path: str = option("", "Name of the file, if --data_path is a folder.")
    masks: bool = option(False, "No effect as a flag: evaluations read masks if they need them.")
    check_masks: bool = option(
        True, "Refuses masks that are not a partition; False: masks as they are stored.", flag=False
    )
    factors: bool = option(False, "No effect as a flag: evaluations read factors if they need them.")
    clevr_preprocess_style: str | None = option(
        None, f"{' or '.join(f'{style} ({size} pixels)' for style, size in STYLES.items())}; empty: no crop."
    )
    clevrtex_variant: str = option("full", f"Which CLEVRTEX: {', '.join(VARIANTS)}.")
    batch_size: int = option(16, "Global batch size, over all replicas.")
    seed: int = option(0, "Seed of the order of stored scenes, and of generated ones.", flag=False)
    shuffle: bool = option(True, "Reshuffles stored training scenes each epoch.")
    n_train: int | None = option(
        None, "Number of training scenes, for generators and TFRecords; by default all, or 60,000."
    )
    n_test: int = option(320, "Number of test scenes, for generators and TFRecords.")
    max_objects: int | None = option(
        None, "CLEVR scenes with more objects are skipped; None: as the data set says.", flag=False
    )
    variant: str = option(
        "",
        f"Scenes that no run is trained on, of a generator; {_VARIANT_HELP}; empty: as trained.",
        flag=False,
    )
    input_size: tuple[int, int, int] = same_option(SlotAttentionConfig, "input_size")

    def completed(self) -> DataConfig:
        """Fills in the data set's defaults; raises `UserError` for invalid options."""
        name = self.dataset
        if name not in DATASETS:
            raise UserError(f"--dataset={name}: unknown; choose one of {', '.join(DATASETS)}.")
        known, style = SCENE_SETS[name], self.clevr_preprocess_style
        filled = dataclasses.replace(
            self,
            clevr_preprocess_style=known.style if style is None else style,
            n_train=known.n_train if self.n_train is None else self.n_train,
            max_objects=known.max_objects if self.max_objects is None else self.max_objects,
        )
        if filled.clevr_preprocess_style and (not known.style or style not in (None, *STYLES)):
            raise UserError(
                f"--clevr_preprocess_style={style}: one of {', '.join(STYLES)}, and only for CLEVR, "
                f"not {name}."
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
        if filled.variant:
            filled._check_variant(known.variants)
        return filled

    def _check_variant(self, variants):
        wrong = f"--variant={self.variant}: "
        if self.data_path or self.h5_path:
            raise UserError(
                f"{wrong}only generated scenes have variants; for the generator's, give an empty --data_path "
                "and --h5_path."
            )
        if not variants:
            raise UserError(f"{wrong}--dataset={self.dataset} has no variants; {', '.join(GENERATED)} have.")
        if self.variant not in variants:
            raise UserError(f"{wrong}{self.dataset} has only {', '.join(variants)}.")
