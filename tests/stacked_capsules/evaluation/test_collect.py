from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed, TrainableModel, UserError
from stacked_capsules.evaluation.collect import collect, compiled_inference


class Outputs(NamedTuple):
    doubled: tf.Tensor
    noise: tf.Tensor


class Doubling(TrainableModel):
    """Twice its input, with noise as `eval_noise` has it."""

    def inputs_of(self, batch):
        return batch["x"]

    def call(self, x, training=False, seed=None):
        assert x.shape[0] is not None  # compiled for one static shape
        return Outputs(2.0 * x, Seed.of(seed).uniform(x.shape))


def pick(batch, outputs):
    return {"doubled": outputs.doubled, "label": batch["label"], "noise": outputs.noise}


def batches_of(x, batch_size):
    labels = np.arange(len(x))
    return tf.data.Dataset.from_tensor_slices({"x": x, "label": labels}).batch(batch_size)


@pytest.mark.parametrize("batch_size", [1, 4, 5, 10, 64])
def test_every_example_comes_once_and_in_order(rng, batch_size):
    x = rng.random((10, 3)).astype(np.float32)
    collected = collect(compiled_inference(Doubling(), pick), batches_of(x, batch_size))
    np.testing.assert_array_equal(collected["doubled"], 2.0 * x)
    np.testing.assert_array_equal(collected["label"], np.arange(10))


def test_one_trace_serves_all_batches_of_both_sets(rng):
    infer = compiled_inference(Doubling(), pick)
    for n_examples in (10, 6):
        collect(infer, batches_of(rng.random((n_examples, 3)).astype(np.float32), 4))
    assert infer.experimental_get_tracing_count() == 1


def test_stops_at_n_examples_of_endless_batches(rng):
    x = rng.random((10, 3)).astype(np.float32)
    collected = collect(compiled_inference(Doubling(), pick), batches_of(x, 4).repeat(), n_examples=13)
    np.testing.assert_array_equal(collected["label"], [*range(10), *range(3)])


def test_noise_is_seeded_and_fresh_for_each_batch(rng):
    x = np.zeros((8, 3), np.float32)
    runs = [
        collect(compiled_inference(Doubling(), pick, seed), batches_of(x, 4))["noise"] for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    assert not np.array_equal(runs[0][:4], runs[0][4:])


def test_too_few_examples(rng):
    infer = compiled_inference(Doubling(), pick)
    with pytest.raises(UserError, match="0 examples of 1 requested"):
        collect(infer, batches_of(np.zeros((0, 3), np.float32), 4))
    with pytest.raises(UserError, match="5 examples of 7 requested"):
        collect(infer, batches_of(np.zeros((5, 3), np.float32), 4), n_examples=7)
