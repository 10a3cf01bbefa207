import numpy as np
import pytest
import tensorflow as tf

from stacked_capsules.in_chunks import InChunks

RNG = np.random.default_rng(0)
A = tf.constant(RNG.normal(size=[5, 3]).astype(np.float32))
B = tf.constant(RNG.normal(size=[5]).astype(np.float32))
W = tf.constant(RNG.normal(size=[3]).astype(np.float32))


def function(examples, shared):
    product = tf.linalg.matvec(examples["a"], shared["w"])  # [B]
    return [tf.sin(product) / examples["b"], tf.square(examples["a"])]


def values_and_gradients(call):
    examples, shared = {"a": A, "b": B}, {"w": W}
    with tf.GradientTape() as tape:
        tape.watch([examples, shared])
        outputs = call(examples, shared)
        # the square has no gradient but this one
        objective = tf.reduce_sum(outputs[0] * tf.range(5.0)) + tf.reduce_sum(outputs[1])
    return outputs, tape.gradient(objective, [examples, shared])


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 8])
@pytest.mark.parametrize("outer", ["eager", "graph", "compiled"])
def test_equals_the_function(chunk_size, outer):
    chunked = InChunks(function, chunk_size)

    def run():
        return values_and_gradients(chunked)

    if outer != "eager":
        run = tf.function(run, jit_compile=outer == "compiled")
    for got, want in zip(
        tf.nest.flatten(run()), tf.nest.flatten(values_and_gradients(function)), strict=True
    ):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_batch_size_may_be_unknown():
    chunked = tf.function(
        lambda a, b: InChunks(function, 2)({"a": a, "b": b}, {"w": W}),
        input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([None])],
    )
    for got, want in zip(chunked(A, B), function({"a": A, "b": B}, {"w": W}), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)
