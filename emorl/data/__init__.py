"""Multi-object scenes: files of the original and of DeepMind, and generators that need no download."""

from emorl.data.config import DATASETS, DataConfig
from emorl.data.factors import FACTORS, Factor
from emorl.data.load import GENERATORS, has_masks, load

__all__ = ["DATASETS", "FACTORS", "GENERATORS", "DataConfig", "Factor", "has_masks", "load"]
