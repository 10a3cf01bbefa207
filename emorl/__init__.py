"""EfficientMORL (Emami et al., ICML 2021), with Slot Attention and a plain VAE as baselines: slots in scenes.

`build` creates an untrained model, `load_run` and `load_pretrained` load trained ones; all have `encode`,
`segment` and `reconstruct`.
"""

import os
import platform
from typing import TYPE_CHECKING

from discovery.lazy_names import lazy_names
from discovery.version import __version__

if TYPE_CHECKING:
    from emorl.named_models import build, load_pretrained, load_run

__all__ = ["__version__", "build", "load_pretrained", "load_run"]

if platform.machine().lower() in ("x86_64", "amd64"):
    # Its convolutions are faster; without AVX-512 TensorFlow does not use it by default.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(("build", "load_pretrained", "load_run"), "emorl.named_models")
)
