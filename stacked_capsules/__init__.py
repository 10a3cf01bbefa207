"""Stacked Capsule Autoencoders (Kosiorek et al., NeurIPS 2019): objects in images and in constellations.

`build` makes an untrained model, `load_run` a trained one; both have `encode`, `segment` and `reconstruct`.
"""

from stacked_capsules.runs import build, load_run

__all__ = ["build", "load_run"]
