import numpy as np
import pytest
import tensorflow as tf

from stacked_capsules.batched_dense import BatchedDense, BatchedMLP


@pytest.mark.parametrize("use_bias", [False, True])
def test_every_vector_has_its_own_map(use_bias):
    layer = BatchedDense(4, use_bias=use_bias)
    layer.build((None, 3, 5))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    x = rng.normal(size=[2, 3, 5]).astype(np.float32)
    kernel = layer.kernel.numpy()
    bias = layer.bias.numpy() if use_bias else np.zeros([3, 4])
    oracle = np.stack([x[:, k] @ kernel[k] + bias[k] for k in range(3)], 1)
    np.testing.assert_allclose(layer(x), oracle, rtol=1e-5, atol=1e-5)


def test_mlp_applies_its_nonlinearity_where_it_should():
    x = tf.random.stateless_normal([2, 3, 5], [0, 0])
    for activate_final in (False, True):
        mlp = BatchedMLP([7, 6], activation="relu1", activate_final=activate_final, use_bias=False)
        y = mlp(x).numpy()
        assert y.shape == (2, 3, 6) == mlp.compute_output_shape((2, 3, 5))
        assert (y.min() < 0.0) != activate_final
    assert [w.path.split("/", 1)[1] for w in mlp.weights] == [
        "dense_0/kernel",
        "dense_0/bias",
        "dense_1/kernel",
    ]
