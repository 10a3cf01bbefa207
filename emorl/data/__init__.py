"""Multi-object scenes: files of the original and of DeepMind, and generators that need no download."""

from typing import TYPE_CHECKING

from discovery.lazy_names import lazy_names
from emorl.data.config import DATASETS, GENERATED, DataConfig
from emorl.data.factors import FACTORS, Factor

if TYPE_CHECKING:
    from emorl.data.loading import GENERATORS, has_masks, load

__all__ = ["DATASETS", "FACTORS", "GENERATED", "GENERATORS", "DataConfig", "Factor", "has_masks", "load"]

__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(("GENERATORS", "has_masks", "load"), "emorl.data.loading")
)
