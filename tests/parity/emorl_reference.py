"""The golden arrays of EMORL, as the Keras models take and give them."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from emorl.configuration import EMORLConfig, SlotAttentionConfig
from emorl.seeded_models import make_efficient_morl, make_slot_attention
from emorl.torch_weights import keras_weights
from tests.parity.golden_arrays import emorl_noise


@dataclasses.dataclass(frozen=True)
class ReferenceNoise:
    """Stands for a `Seed` whose draw i is draw i of the reference's forward pass.

    Attributes:
        seed: the file's.
        tag: of the forward pass.
        draw: its number.
        rows: (i, n): the noise of image i of a batch of n, alone.
    """

    seed: int
    tag: int
    draw: int = -1
    rows: tuple[int, int] | None = None

    def fold(self, purpose):
        return dataclasses.replace(self, draw=purpose)

    def normal(self, shape):
        batch, slots, z = shape
        first, batch = self.rows or (0, batch)
        noise = emorl_noise(self.seed, self.tag, self.draw, (batch * slots, z))
        return tf.reshape(noise, [batch, slots, z])[first : first + shape[0]]


@dataclasses.dataclass(frozen=True, eq=False)
class StoredNoise:
    """Stands for a `Seed` whose draws are the arrays `noise/<i>` of a file."""

    arrays: Mapping[str, np.ndarray]
    draw: int = -1

    def fold(self, purpose):
        return dataclasses.replace(self, draw=purpose)

    def normal(self, shape):
        return tf.reshape(self.arrays[f"noise/{self.draw}"], shape)


def make_model(meta):
    """The model of a golden file; options and sizes are those of `meta`."""
    config, net = meta["config"], dict(meta["config"]["net"])
    if config["model"] == "SlotAttention":
        return make_slot_attention(SlotAttentionConfig(**net))
    train = config.get("train", {})
    net |= {name: train[name] for name in ("geco_warm_start", "geco_beta_stepsize") if name in train}
    geco = {
        "use_geco": config["geco"],
        "geco_reconstruction_target": config["geco_target_per_dim"],
        "geco_ema_alpha": config["geco_ema_alpha"],
    }
    iterations = {"refinement_iters": config["refinement_iters"], "kl_beta_init": config["kl_beta"]}
    return make_efficient_morl(EMORLConfig(**net, **geco, **iterations))


def set_weights(model, golden):
    """Gives the model the reference's start values."""
    weights = keras_weights({name: golden.weight(name) for name in golden.meta["variables"]})
    variables = by_path(model)
    assert set(weights) == set(variables)
    for path, value in weights.items():
        variables[path].assign(value)


def by_path(model):
    """The model's variables by path, less the model's own name."""
    return {variable.path.partition("/")[2]: variable for variable in model.variables}


def torch_layout(variables, values):
    """Keras' arrays by path, back in PyTorch's names and shapes; `variables` are a golden file's."""
    shapes = {name: variable["shape"] for name, variable in variables.items()}
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    places = dict(zip(shapes, np.split(np.arange(ends[-1]), ends[:-1]), strict=True))
    where = keras_weights({name: places[name].reshape(shape) for name, shape in shapes.items()})
    flat = np.full(ends[-1], np.nan)
    for path, value in values.items():
        flat[where[path].ravel()] = np.asarray(value, np.float64).ravel()
    return {name: flat[places[name]].reshape(shape) for name, shape in shapes.items()}


def images_of(golden, key, dtype="float32"):
    """The reference's images [B, 3, H, W] in [-1, 1] as the models take them."""
    return tf.cast((np.transpose(golden.arrays[key], (0, 2, 3, 1)) + 1.0) / 2.0, dtype)  # [B, H, W, 3]


def reference_outputs(outputs):
    """The outputs under the reference's names and in its layouts; attention and stages of EMORL."""
    if hasattr(outputs, "squared_error"):
        named = {"slots": outputs.slots}
        decodings = {("x_means", "masks"): outputs.decoding}
    else:
        first = len(outputs.layers) - 1
        named = {f"attn_{i}": layer.attention[:, :, None] for i, layer in enumerate(outputs.layers)}
        decodings = {
            (f"means_{first + i}", f"masks_{first + i}"): stage.decoding
            for i, stage in enumerate(outputs.stages)
        }
    for (means, masks), decoding in decodings.items():
        named[means] = tf.transpose(decoding.means, [0, 1, 4, 2, 3])
        named[masks] = tf.transpose(decoding.mask_log_probs, [0, 1, 4, 2, 3])
    return named
