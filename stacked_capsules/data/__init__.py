"""Data sets of the Stacked Capsule Autoencoder experiments, as pure functions of the step."""

from typing import TYPE_CHECKING

from discovery.lazy_names import lazy_names
from stacked_capsules.data.config import DATASETS, DataConfig

if TYPE_CHECKING:
    from stacked_capsules.data.loading import class_names, load

__all__ = ["DATASETS", "DataConfig", "class_names", "load"]

__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(("class_names", "load"), "stacked_capsules.data.loading")
)
