"""Run as a module: builds what a training script's flags ask for, and tells of it in JSON.

Each flag after `then` is tried instead of the one before: under "changed" it tells of those models too.
"""

import importlib
import json
import sys

import numpy as np
from absl import flags
from absl.testing import flagsaver

from scripts import entry_point

FLAGS = flags.FLAGS
_SCRIPT = sys.argv.pop(1)
_MODELS = {"scripts.train": "scripts.scae_flags", "scripts.train_emorl": "scripts.emorl_flags"}
_CHANGES = sys.argv[sys.argv.index("then") + 1 :] if "then" in sys.argv else []
del sys.argv[len(sys.argv) - len(_CHANGES) - ("then" in sys.argv) :]


def told():
    described = importlib.import_module(_MODELS[_SCRIPT])
    model = described.make_model()
    shapes = {weight.path: list(weight.shape) for weight in model.weights}
    return {
        "flags": {name: FLAGS[name].value for name in FLAGS},
        "n_weights": int(sum(np.prod(shape) for shape in shapes.values())),
        "shapes": shapes,
        "architecture": sorted(described.architecture_flags()),
    }


def main(_):
    changed = {}
    for change in _CHANGES:
        with flagsaver.flagsaver():
            FLAGS([_SCRIPT, change])
            changed[change] = told()
    print(json.dumps(told() | {"changed": changed}, default=str))


if __name__ == "__main__":
    importlib.import_module(_SCRIPT)  # defines its flags
    entry_point.run(main)
