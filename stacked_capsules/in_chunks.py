"""Computes something for every example of a batch, a few examples at a time, as one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]

#: (examples, shared) -> outputs; the first axis of each of the examples and of the outputs is the batch.
PerExample = Callable[[Tensors, Tensors], Sequence[tf.Tensor]]


class InChunks:
    """Wraps a pure function of examples so that only one chunk's intermediates exist at any time.

    On CPUs, to write and read large intermediates takes longer than to compute them; a chunk's stay in the
    cache. The gradient computes them anew, and cannot be differentiated again. XLA compiles both.

    Args:
        function: What is computed; it has to be pure, and all shapes static but for the batch.
        chunk_size: Number k of examples at a time.
    """

    def __init__(self, function: PerExample, chunk_size: int):
        self._function = function
        self._chunk_size = chunk_size
        self._values = tf.function(self._values_by_chunks, jit_compile=True, autograph=False)
        self._gradients = tf.function(self._gradients_by_chunks, jit_compile=True, autograph=False)

    def __call__(self, examples: Tensors, shared: Tensors) -> list[tf.Tensor]:
        """Returns the function's outputs."""
        n = len(examples)

        @tf.custom_gradient
        def outputs(*inputs):
            inputs = [tf.stop_gradient(x) for x in inputs]  # an eager tape would look into what is compiled
            packed = dict(zip(examples, inputs[:n], strict=True)), dict(zip(shared, inputs[n:], strict=True))
            return self._values(*packed), lambda *upstream: self._gradients(*packed, list(upstream))

        return outputs(*examples.values(), *shared.values())

    def _values_by_chunks(self, examples, shared):
        outputs = _map(lambda chunk: list(self._function(chunk, shared)), self._chunks(examples))
        return [_joined(output, _batch_size(examples)) for output in outputs]

    def _gradients_by_chunks(self, examples, shared, upstream):
        def of_chunk(chunk):
            inputs, upstream = chunk
            with tf.GradientTape() as tape:
                tape.watch([inputs, shared])
                outputs = list(self._function(inputs, shared))
            return tape.gradient(outputs, [inputs, shared], upstream, tf.UnconnectedGradients.ZERO)

        upstream = self._chunks(upstream, filled_with_zeros=True)
        of_examples, of_shared = _map(of_chunk, [self._chunks(examples), upstream])
        by_example = [_joined(of_examples[name], _batch_size(examples)) for name in examples]
        return [*by_example, *(tf.reduce_sum(of_shared[name], 0) for name in shared)]

    def _chunks(self, tensors, filled_with_zeros=False):
        """Cuts [B, ...] into [B / k, k, ...]; the last example, or zeros, fill the last chunk."""
        k, n = self._chunk_size, _batch_size(tensors)
        n_filled = (n + k - 1) // k * k

        def cut(tensor):
            if filled_with_zeros:
                filled = tf.pad(tensor, [[0, n_filled - n]] + [[0, 0]] * (tensor.shape.rank - 1))
            else:
                filled = tf.gather(tensor, tf.minimum(tf.range(n_filled), n - 1))
            return tf.reshape(filled, [-1, k, *tensor.shape[1:]])

        return tf.nest.map_structure(cut, tensors)


def _map(function, chunks):
    shapes = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape[1:], t.dtype), chunks)
    traced = tf.function(function, autograph=False).get_concrete_function(shapes)
    outputs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), traced.structured_outputs)
    return tf.map_fn(function, chunks, fn_output_signature=outputs, parallel_iterations=1)


def _joined(chunks, n):
    return tf.reshape(chunks, [-1, *chunks.shape[2:]])[:n]


def _batch_size(tensors):
    return tf.shape(tf.nest.flatten(tensors)[0])[0]
