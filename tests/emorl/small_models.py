"""Models and images small enough for tests; every kind of model is in `KINDS`."""

import dataclasses

import numpy as np
import tensorflow as tf

from emorl.configuration import EMORLConfig, SlotAttentionConfig, VAEConfig
from emorl.seeded_models import make_efficient_morl, make_slot_attention, make_vae

SIZE = 10
NET = {"K": 3, "z_size": 8, "input_size": (3, SIZE, SIZE), "image_decoder": "small"}
EMORL = {"refinement_iters": 2, "geco_reconstruction_target": -1.0, "geco_warm_start": 2, "log_scale": -1.2}

#: name -> options of EfficientMORL; None: another model, of the options of `NET`.
KINDS = {
    "default": {},
    "no_layer": {"stochastic_layers": 0},
    "one_layer": {"stochastic_layers": 1, "refinement_iters": 1},
    "two_layers_reversed": {"stochastic_layers": 2, "reverse_prior_plusplus": False},
    "bottom_up": {"bottom_up_prior": True, "reverse_prior_plusplus": False},
    "no_refinement": {"refinement_iters": 0, "use_geco": False},
    "mixture_iodine_gru": {
        "image_likelihood": "GMM",
        "image_decoder": "iodine",
        "use_DualGRU": False,
        "stochastic_layers": 2,
        "refinement_iters": 1,
    },
    "slot_attention": None,
    "vae": None,
}


def make(kind, **options):
    """A model whose weights are large enough for its slots to differ."""
    if kind == "vae":
        net = {name: value for name, value in NET.items() if name != "K"}
        model = make_vae(VAEConfig(**{**net, "log_scale": EMORL["log_scale"], **options}), seed=1)
    elif kind == "slot_attention":
        model = make_slot_attention(SlotAttentionConfig(**{**NET, **options}), seed=1)
    else:
        model = make_efficient_morl(EMORLConfig(**{**NET, **EMORL, **KINDS[kind], **options}), seed=1)
    for i, variable in enumerate(model.trainable_variables):
        noise = np.random.default_rng([i, 2]).normal(size=variable.shape)
        fan_in = max(1, int(np.prod(variable.shape[:-1])))
        variable.assign_add(noise * (0.7 * fan_in**-0.5 if len(variable.shape) > 1 else 0.05))
    return model


def images(n, seed=0):
    """Images [n, SIZE, SIZE, 3] in [0, 1]: two colored rectangles on black."""
    rng = np.random.default_rng([n, seed])
    out = np.zeros((n, SIZE, SIZE, 3), np.float32)
    for image in out:
        for _ in range(2):
            top, left = rng.integers(0, SIZE - 4, 2)
            image[top : top + 4, left : left + 4] = rng.uniform(0.3, 1.0, 3)
    return tf.constant(out)


@dataclasses.dataclass(frozen=True)
class FixedNoise:
    """Stands for a `Seed`: draws are functions of their number; `order` permutes the slots."""

    order: tuple[int, ...] = (0, 1, 2)
    draw: int = -1

    def fold(self, purpose):
        return dataclasses.replace(self, draw=purpose)

    def normal(self, shape):
        noise = np.random.default_rng([self.draw, 3]).normal(size=shape)
        return tf.constant(noise[:, list(self.order)], tf.float32)
