"""Data sets of the Stacked Capsule Autoencoder experiments, as pure functions of the step."""

from stacked_capsules.data.config import DataConfig
from stacked_capsules.data.load import DATASETS, class_names, load

__all__ = ["DATASETS", "DataConfig", "class_names", "load"]
