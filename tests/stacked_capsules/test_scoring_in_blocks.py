import numpy as np
import pytest
import tensorflow as tf

from discovery.distributed.replicas import make_replicas
from stacked_capsules.scoring_in_blocks import InBlocks

RNG = np.random.default_rng(0)
B, N = 5, 37
EXAMPLES = {
    "a": tf.constant(RNG.normal(size=[B, 3]).astype(np.float32)),
    "b": tf.constant(RNG.normal(size=[B]).astype(np.float32)),
}
PIXELS = {"c": tf.constant(RNG.normal(size=[B, N, 3]).astype(np.float32))}
PLACES = np.linspace(0.0, 1.0, N, dtype=np.float32)


def function(example, pixels, which):
    score = tf.sin(pixels["c"] @ example["a"][:, tf.newaxis])[:, 0] / example["b"]  # [L]
    return [score * tf.gather(PLACES, which), tf.stop_gradient(tf.square(pixels["c"]))]


def whole(examples, pixels):
    """The same, example by example."""
    outputs = [
        function({k: v[i] for k, v in examples.items()}, {k: v[i] for k, v in pixels.items()}, np.arange(N))
        for i in range(B)
    ]
    return [tf.stack([tf.reduce_sum(scores) for scores, _ in outputs]), tf.stack([o for _, o in outputs])]


def values_and_gradients(call):
    with tf.GradientTape() as tape:
        tape.watch([EXAMPLES, PIXELS])
        outputs = call(EXAMPLES, PIXELS)
        objective = tf.reduce_sum(outputs[0] * tf.range(float(B)))  # examples weigh differently
    return outputs, tape.gradient(objective, [EXAMPLES, PIXELS])


@pytest.mark.parametrize("early_gradient", [False, True])
@pytest.mark.parametrize("block_size", [20, 1000])
@pytest.mark.parametrize("outer", ["eager", "graph", "compiled"])
def test_equals_the_function(block_size, outer, early_gradient):
    in_blocks = InBlocks(function, block_size, multiple_of=16)

    def run():
        return values_and_gradients(lambda *inputs: in_blocks(*inputs, early_gradient))

    if outer != "eager":
        run = tf.function(run, jit_compile=outer == "compiled")
    for got, want in zip(tf.nest.flatten(run()), tf.nest.flatten(values_and_gradients(whole)), strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_threads", [1, 3, 8])
def test_any_number_of_threads(monkeypatch, n_threads):
    monkeypatch.setattr("os.cpu_count", lambda: n_threads)
    for got, want in zip(InBlocks(function, 20)(EXAMPLES, PIXELS), whole(EXAMPLES, PIXELS), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_batch_size_may_be_unknown():
    in_blocks = tf.function(
        lambda a, b, c: InBlocks(function, 20)({"a": a, "b": b}, {"c": c}),
        input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([None]), tf.TensorSpec([None, N, 3])],
    )
    for got, want in zip(in_blocks(**EXAMPLES, **PIXELS), whole(EXAMPLES, PIXELS), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_replicas_share_a_batch():
    replicas = make_replicas("mirrored", 2)
    rows = tf.data.Dataset.from_tensor_slices((EXAMPLES, PIXELS, tf.range(float(B)))).batch(B)

    @tf.function
    def run(batch):
        def on_replica(examples, pixels, weights):
            with tf.GradientTape() as tape:
                tape.watch([examples, pixels])
                outputs = InBlocks(function, 20)(examples, pixels, True)
                objective = tf.reduce_sum(outputs[0] * weights)
            return outputs, tape.gradient(objective, [examples, pixels])

        per_replica = tf.nest.flatten(replicas.strategy.run(on_replica, args=batch))
        return [tf.concat(replicas.strategy.experimental_local_results(value), 0) for value in per_replica]

    got = run(next(replicas.iterate(rows)))
    want = tf.nest.flatten(values_and_gradients(whole))
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
