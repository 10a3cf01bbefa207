"""Scores every example of a batch, a few examples at a time, as one compiled function."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]

#: examples -> outputs, of which the first is a score [B]; the first axis of all tensors is the batch.
Scoring = Callable[[Tensors], Sequence[tf.Tensor]]


class InChunks:
    """Wraps a pure function that scores examples so that only a chunk's intermediates exist at any time.

    On CPUs, to write and read large intermediates takes longer than to compute them; a chunk's stay in the
    cache. XLA compiles the function; as it computes a chunk in one thread, the batch is dealt out to as many
    compiled calls as there are threads.

    Args:
        function: What is computed; it has to be pure, and all shapes static but for the batch. Only the score
            has a gradient, which cannot be differentiated again.
        chunk_size: Number k of examples at a time.
    """

    def __init__(self, function: Scoring, chunk_size: int):
        self._function = function
        self._chunk_size = chunk_size
        self._outputs = tf.function(self._outputs_by_chunks, jit_compile=True, autograph=False)
        self._both = tf.function(self._outputs_and_gradients_by_chunks, jit_compile=True, autograph=False)

    def __call__(self, examples: Tensors, early_gradient: bool = False) -> list[tf.Tensor]:
        """Returns the function's outputs.

        Args:
            examples: the arguments.
            early_gradient: Form the gradient of the scores together with them, which spares to compute them
                twice where a gradient will be asked for.
        """

        @tf.custom_gradient
        def outputs(*inputs):
            inputs = [tf.stop_gradient(x) for x in inputs]  # an eager tape would look into what is compiled
            packed = dict(zip(examples, inputs, strict=True))
            if early_gradient:
                values, early = _on_all_threads(self._both, packed, self._chunk_size)
            else:
                values, early = _on_all_threads(self._outputs, packed, self._chunk_size), None

            def gradient(of_score, *_):
                gradients = early or _on_all_threads(self._both, packed, self._chunk_size)[1]
                return [tf.reshape(of_score, [-1] + [1] * (g.shape.rank - 1)) * g for g in gradients]

            return values, gradient

        return outputs(*examples.values())

    def _outputs_by_chunks(self, examples):
        outputs = _map(lambda chunk: list(self._function(chunk)), self._chunks(examples))
        return [_joined(output, _batch_size(examples)) for output in outputs]

    def _outputs_and_gradients_by_chunks(self, examples):
        def of_chunk(chunk):
            with tf.GradientTape() as tape:
                tape.watch(chunk)
                outputs = list(self._function(chunk))
            return outputs, tape.gradient(
                outputs[0], list(chunk.values()), unconnected_gradients=tf.UnconnectedGradients.ZERO
            )

        both = _map(of_chunk, self._chunks(examples))
        return tf.nest.map_structure(lambda chunks: _joined(chunks, _batch_size(examples)), both)

    def _chunks(self, tensors):
        """Cuts [B, ...] into [B / k, k, ...]; the last example fills the last chunk."""
        k, n = self._chunk_size, _batch_size(tensors)
        n_filled = (n + k - 1) // k * k

        def cut(tensor):
            filled = tf.gather(tensor, tf.minimum(tf.range(n_filled), n - 1))
            return tf.reshape(filled, [-1, k, *tensor.shape[1:]])

        return tf.nest.map_structure(cut, tensors)


def _on_all_threads(function, examples, chunk_size):
    """Calls the function on as many parts of the batch as there are threads, if its size is known."""
    n = next(iter(examples.values())).shape[0]
    n_threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    n_parts = 1 if n is None else min(n_threads, -(-n // chunk_size))
    if n_parts == 1:
        return function(examples)
    cuts = [n * i // n_parts for i in range(n_parts + 1)]
    parts = [
        function({name: x[start:stop] for name, x in examples.items()})
        for start, stop in itertools.pairwise(cuts)
    ]
    return tf.nest.map_structure(lambda *xs: tf.concat(xs, 0), *parts)


def _map(function, chunks):
    shapes = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape[1:], t.dtype), chunks)
    traced = tf.function(function, autograph=False).get_concrete_function(shapes)
    outputs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), traced.structured_outputs)
    return tf.map_fn(function, chunks, fn_output_signature=outputs, parallel_iterations=1)


def _joined(chunks, n):
    return tf.reshape(chunks, [-1, *chunks.shape[2:]])[:n]


def _batch_size(tensors):
    return tf.shape(tf.nest.flatten(tensors)[0])[0]
