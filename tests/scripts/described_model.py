"""Run as a module: builds what a training script's flags ask for, and tells of it in JSON."""

import importlib
import json
import sys

import numpy as np
from absl import flags

from scripts import entry_point

FLAGS = flags.FLAGS
_SCRIPT = sys.argv.pop(1)
_MODELS = {"scripts.train": "scripts.scae_flags", "scripts.train_emorl": "scripts.emorl_flags"}


def main(_):
    described = importlib.import_module(_MODELS[_SCRIPT])
    model = described.make_model()
    shapes = {weight.path: list(weight.shape) for weight in model.weights}
    told = {
        "flags": {name: FLAGS[name].value for name in FLAGS},
        "n_weights": int(sum(np.prod(shape) for shape in shapes.values())),
        "shapes": shapes,
        "architecture": sorted(described.architecture_flags()),
    }
    print(json.dumps(told, default=str))


if __name__ == "__main__":
    importlib.import_module(_SCRIPT)  # defines its flags
    entry_point.run(main)
