"""Multi-object scenes: the original's and DeepMind's files, and generators that need no download."""

from typing import TYPE_CHECKING

from discovery.lazy_names import lazy_names
from emorl.data.config import DATASETS, FACTORS, GENERATED, DataConfig
from emorl.data.factors import Factor

if TYPE_CHECKING:
    from emorl.data.loading import generator_of, has_masks, load

__all__ = ["DATASETS", "FACTORS", "GENERATED", "DataConfig", "Factor", "generator_of", "has_masks", "load"]

__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(("generator_of", "has_masks", "load"), "emorl.data.loading")
)
