"""Calls of the original SCAE: its TensorFlow 1 graph, by way of TensorFlow 2's interface for such graphs.

The compiled resampler that TensorFlow 1 had in tf.contrib comes from TensorFlow Addons; these calls do not
reach what else is missing since then, which placeholders replace by name.
"""

import collections
import collections.abc
import importlib.abc
import importlib.machinery
import os
import sys
import tempfile
import types
import typing
from collections.abc import Callable
from pathlib import Path

MNIST = {
    "batch_size": 128,
    "canvas_size": 40,
    "n_part_caps": 40,
    "n_obj_caps": 32,
    "colorize_templates": True,
    "use_alpha_channel": True,
    "color_nonlin": "sigmoid",
    "template_nonlin": "sigmoid",
    "lr": 3e-5,
    "use_lr_schedule": False,
    "posterior_between_example_sparsity_weight": 0.2,
    "posterior_within_example_sparsity_weight": 0.7,
    "prior_between_example_sparsity_weight": 0.35,
    "prior_within_example_sparsity_weight": 2.0,
}
CONSTELLATION = {"batch_size": 32, "model": "constellation", "use_lr_schedule": False}


def workload(case: str, checkout: str) -> tuple[Callable[[], None], int]:
    """Returns what is timed, and its batch size."""
    tf = tensorflow_1()
    parent = tempfile.mkdtemp()  # the original imports itself by this name
    os.symlink(checkout, Path(parent) / "stacked_capsule_autoencoders")
    sys.path.insert(0, parent)
    from absl import flags
    from stacked_capsule_autoencoders.capsules.configs import model_config

    flags.DEFINE_integer("batch_size", 32, "")
    flags.DEFINE_integer("canvas_size", 28, "")
    flags.DEFINE_string("model", "scae", "")
    options = MNIST if "mnist" in case else CONSTELLATION
    flags.FLAGS(["original", *(f"--{name}={value}" for name, value in options.items())])
    config = model_config.get(flags.FLAGS)
    data = images(tf) if "mnist" in case else constellations(tf)
    step = tf.train.get_or_create_global_step()
    if case.endswith("train"):
        target, _ = config.model.make_target(data, config.opt)
        gradients = config.opt.compute_gradients(target)
        fetched = [config.opt.apply_gradients(gradients, global_step=step), target]
    else:
        results = config.model.connect(data)
        fetched = [results.caps_presence_prob, tf.reduce_sum(results.posterior_mixing_probs, 1)]
    session = tf.Session()
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    return lambda: session.run(fetched), options["batch_size"]


def images(tf):
    """A batch of noise, held in variables."""
    import numpy as np

    noise = np.random.default_rng(0).random((128, 40, 40, 1)).astype(np.float32)  # [B, H, W, 1]
    labels = (np.arange(128) % 10).astype(np.int64)  # [B]
    return {
        "image": tf.get_local_variable("image", initializer=noise),
        "label": tf.get_local_variable("label", initializer=labels),
    }


def constellations(tf):
    """A batch of the original's generator, held in variables."""
    from stacked_capsule_autoencoders.capsules.data import constellation

    patterns = {
        "which_patterns": [[0], [1], [0]],
        "rotation_percent": 0.5,
        "max_scale": 3.0,
        "min_scale": 3.0,
    }
    generated = constellation.create(
        batch_size=32,
        shuffle_corners=True,
        gaussian_noise=0.0,
        drop_prob=0.5,
        use_scale_schedule=False,
        schedule_steps=0,
        **patterns,
    )
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        values = session.run(generated._asdict() if hasattr(generated, "_asdict") else dict(generated))
    return {name: tf.get_local_variable(f"data_{name}", initializer=value) for name, value in values.items()}


def tensorflow_1() -> types.ModuleType:
    """Makes `import tensorflow` give TensorFlow 1's interface, with what Sonnet 1 asks of tf.contrib."""
    for name in ("Mapping", "Sequence", "Iterable", "Callable"):  # Python 3.10 removed them
        setattr(collections, name, getattr(collections.abc, name))
    import tensorflow
    import tensorflow.python.util.nest as nest
    import tensorflow_addons
    import tensorflow_probability  # noqa: F401 (it must see TensorFlow 2)

    tf = tensorflow.compat.v1
    tf.disable_v2_behavior()
    nest.is_sequence = nest.is_nested
    contrib = _Missing("tensorflow.contrib")
    contrib.resampler = types.SimpleNamespace(resampler=tensorflow_addons.image.resampler)
    contrib.framework = _Missing("tensorflow.contrib.framework")
    contrib.framework.nest = nest
    tf.contrib = contrib
    tf.__path__ = tensorflow.__path__
    sys.modules.update({"tensorflow": tf, "tensorflow.nest": tf.nest, "tensorflow.contrib": contrib})
    sys.modules["tensorflow.contrib.framework"] = contrib.framework
    sys.meta_path.insert(0, _ContribFinder())
    return tf


class _Missing(types.ModuleType):
    """A module whose every attribute is another module like it."""

    __path__: typing.ClassVar[list[str]] = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Missing(f"{self.__name__}.{name}")

    def __call__(self, *args, **kwargs):
        return self


class _ContribFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.startswith("tensorflow.contrib"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Missing(spec.name)

    def exec_module(self, module):
        pass
