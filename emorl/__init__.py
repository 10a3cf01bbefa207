"""EfficientMORL (Emami et al., ICML 2021) and its Slot Attention baseline: slots of the objects in scenes.

`build` makes an untrained model, `load_run` a trained one; both have `encode`, `segment` and `reconstruct`.
"""

from emorl.runs import build, load_run

__all__ = ["build", "load_run"]
