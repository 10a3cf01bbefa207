import numpy as np
import pytest
import tensorflow as tf

from stacked_capsules.in_chunks import InChunks

RNG = np.random.default_rng(0)
EXAMPLES = {
    "a": tf.constant(RNG.normal(size=[5, 3]).astype(np.float32)),
    "b": tf.constant(RNG.normal(size=[5]).astype(np.float32)),
}


def function(examples):
    score = tf.sin(tf.reduce_sum(examples["a"], 1)) / examples["b"]  # [B]
    return [score, tf.stop_gradient(tf.square(examples["a"]))]


def values_and_gradients(call):
    with tf.GradientTape() as tape:
        tape.watch(EXAMPLES)
        outputs = call(EXAMPLES)
        objective = tf.reduce_sum(outputs[0] * tf.range(5.0))  # examples weigh differently
    return outputs, tape.gradient(objective, EXAMPLES)


@pytest.mark.parametrize("early_gradient", [False, True])
@pytest.mark.parametrize("chunk_size", [1, 2, 5, 8])
@pytest.mark.parametrize("outer", ["eager", "graph", "compiled"])
def test_equals_the_function(chunk_size, outer, early_gradient):
    chunked = InChunks(function, chunk_size)

    def run():
        return values_and_gradients(lambda examples: chunked(examples, early_gradient))

    if outer != "eager":
        run = tf.function(run, jit_compile=outer == "compiled")
    for got, want in zip(
        tf.nest.flatten(run()), tf.nest.flatten(values_and_gradients(function)), strict=True
    ):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_batch_size_may_be_unknown():
    chunked = tf.function(
        lambda a, b: InChunks(function, 2)({"a": a, "b": b}),
        input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([None])],
    )
    for got, want in zip(chunked(**EXAMPLES), function(EXAMPLES), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)
