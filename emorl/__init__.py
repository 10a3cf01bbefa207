"""EfficientMORL (Emami et al., ICML 2021), with Slot Attention and a plain VAE as baselines: slots in scenes.

`build` creates an untrained model, `load_run` and `load_pretrained` load trained ones; all have `encode`,
`segment` and `reconstruct`.
"""

from typing import TYPE_CHECKING, Any

from discovery.lazy_names import lazy_names
from discovery.version import __version__
from emorl.one_dnn import prefer_one_dnn

if TYPE_CHECKING:
    from emorl.named_models import build, load_pretrained, load_run

__all__ = ["__version__", "build", "load_pretrained", "load_run"]

_get, __dir__ = lazy_names(
    __name__, dict.fromkeys(("build", "load_pretrained", "load_run"), "emorl.named_models")
)


def __getattr__(name: str) -> Any:
    if name in __all__:  # a model is about to be used; SCAE's programs import this package too
        prefer_one_dnn()
    return _get(name)
