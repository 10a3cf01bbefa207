"""Both models at sizes that a test can train, and batches for them."""

import numpy as np
import tensorflow as tf

from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.seeded_models import make_constellation, make_scae


def small_scae(**options):
    defaults = {"canvas_size": 23, "template_size": 5, "n_part_caps": 4, "n_part_special_features": 3}
    defaults |= {"n_obj_caps": 3, "n_obj_caps_params": 5, "n_classes": 6}
    return make_scae(SCAEConfig(**{**defaults, **options}))


def small_constellation(**options):
    return make_constellation(ConstellationConfig(**options))


def images(batch_size=4, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "image": tf.constant(rng.uniform(size=(batch_size, 23, 23, 1)).astype(np.float32)),
        "label": tf.constant(rng.integers(0, 6, batch_size)),
    }


def constellations(batch_size=4, n_points=7, seed=0):
    """Points at random places, the first always present."""
    rng = np.random.default_rng(seed)
    presence = rng.integers(0, 2, (batch_size, n_points)).astype(np.float32)
    presence[:, 0] = 1.0
    return {
        "corners": tf.constant(rng.uniform(-1, 1, (batch_size, n_points, 2)).astype(np.float32)),
        "presence": tf.constant(presence),
        "pattern_presence": tf.ones([batch_size, 3]),
        "pattern_id": tf.constant(rng.integers(0, 3, (batch_size, n_points))),
    }


def losses_by_halves(model, batch):
    """Returns what each of two replicas gets that hold half of the batch each; they have no noise."""
    middle = len(next(iter(batch.values()))) // 2
    halves = [{k: v[rows] for k, v in batch.items()} for rows in (slice(middle), slice(middle, None))]
    outputs = [model(model.inputs_of(half)) for half in halves]
    held = []

    def record(local_sum):
        held.append(local_sum)
        return local_sum

    for half, out in zip(halves, outputs, strict=True):
        model.losses(half, out, record)
    assert len(held) == 2, "one reduction per step"
    return [model.losses(half, out, lambda _: sum(held)) for half, out in zip(halves, outputs, strict=True)]
