"""Scores the pixels of every example, one block of pixels at a time, in one compiled function."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]

#: (one example, L of its pixels, their indices [L]) -> outputs [L, ...], of which the first is a score [L].
Scoring = Callable[[Tensors, Tensors, tf.Tensor], Sequence[tf.Tensor]]


class InBlocks:
    """Wraps a pure function that scores pixels so that only a block's intermediates exist at any time.

    On CPUs, writing and reading large intermediates takes longer than computing them; a block's stay in the
    cache. XLA compiles the function; since it computes a block in one thread, the batch is split among as
    many compiled calls as there are threads.

    Args:
        function: The function; it must be pure, and all shapes static. Only the score has a gradient, which
            cannot be differentiated again.
        block_size: Maximum number of pixels in a block, before rounding up.
        multiple_of: Block sizes are rounded up to a multiple of this, for functions that take several pixels
            at once.
    """

    def __init__(self, function: Scoring, block_size: int, multiple_of: int = 1):
        self._function = function
        self._block_size = block_size
        self._multiple_of = multiple_of
        compiled = functools.partial(tf.function, jit_compile=True, autograph=False)
        self._outputs = compiled(functools.partial(self._of_batch, with_gradients=False))
        self._both = compiled(functools.partial(self._of_batch, with_gradients=True))

    def __call__(self, examples: Tensors, pixels: Tensors, early_gradient: bool = False) -> list[tf.Tensor]:
        """Returns the sum of each example's scores, [B], and the function's other outputs, [B, N, ...].

        Args:
            examples: inputs of each example, [B, ...].
            pixels: inputs of each pixel, [B, N, ...].
            early_gradient: Compute the gradient of the scores together with them, which avoids computing
                them twice if a gradient will be requested.
        """

        @tf.custom_gradient
        def outputs(*inputs):
            inputs = [tf.stop_gradient(x) for x in inputs]  # an eager tape would look into compiled code
            packed = tf.nest.pack_sequence_as([examples, pixels], inputs)
            if early_gradient:
                values, early = _on_all_threads(self._both, packed)
            else:
                (values, _), early = _on_all_threads(self._outputs, packed), None

            def gradient(of_score, *_):
                gradients = early or _on_all_threads(self._both, packed)[1]
                return [
                    tf.reshape(of_score, [-1] + [1] * (g.shape.rank - 1)) * g
                    for g in tf.nest.flatten(gradients)
                ]

            return values, gradient

        return outputs(*tf.nest.flatten([examples, pixels]))

    def _of_batch(self, examples, pixels, with_gradients):
        """Returns the outputs, and the gradients with respect to both arguments, or none."""
        return _map(lambda one: self._of_example(*one, with_gradients), (examples, pixels))

    def _of_example(self, example, pixels, with_gradients):
        n_pixels = next(iter(pixels.values())).shape[0]
        n_blocks = -(-n_pixels // self._block_size)
        size = -(-n_pixels // (n_blocks * self._multiple_of)) * self._multiple_of
        n_blocks = -(-n_pixels // size)
        which = np.arange(n_blocks * size).reshape(n_blocks, size)
        counts = which < n_pixels
        which = np.minimum(which, n_pixels - 1)  # the last pixel fills the last block

        def of_block(block):
            block, which, counts = block
            with tf.GradientTape() as tape:
                tape.watch([example, block])
                scores, *others = self._function(example, block, which)
                score = tf.reduce_sum(tf.where(counts, scores, 0.0))
            if not with_gradients:
                return score, others, ()
            zeros = tf.UnconnectedGradients.ZERO
            return score, others, tape.gradient(score, (example, block), unconnected_gradients=zeros)

        blocks = {name: tf.gather(x, which) for name, x in pixels.items()}  # [n_blocks, L, ...] each
        score, others, gradients = _map(of_block, (blocks, tf.constant(which), tf.constant(counts)))
        outputs = [tf.reduce_sum(score, 0), *_joined(others, n_pixels)]
        if not with_gradients:
            return outputs, ()
        of_example, of_pixels = gradients
        of_example = tf.nest.map_structure(lambda g: tf.reduce_sum(g, 0), of_example)
        return outputs, (of_example, _joined(of_pixels, n_pixels))


def _on_all_threads(function, inputs):
    """Calls the function on as many parts of the batch as there are threads, if its size is known."""
    n = tf.nest.flatten(inputs)[0].shape[0]
    n_threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    n_parts = 1 if n is None else min(n_threads, n)
    if n_parts == 1:
        return function(*inputs)
    cuts = [n * i // n_parts for i in range(n_parts + 1)]
    parts = [
        function(*tf.nest.map_structure(lambda x, start=start, stop=stop: x[start:stop], inputs))
        for start, stop in itertools.pairwise(cuts)
    ]
    return tf.nest.map_structure(lambda *xs: tf.concat(xs, 0), *parts)


def _map(function, inputs):
    shapes = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape[1:], t.dtype), inputs)
    traced = tf.function(function, autograph=False).get_concrete_function(shapes)
    outputs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), traced.structured_outputs)
    return tf.map_fn(traced, inputs, fn_output_signature=outputs, parallel_iterations=1)


def _joined(blocks, n):
    """[n_blocks, L, ...] -> [n, ...]."""
    return tf.nest.map_structure(lambda x: tf.reshape(x, [-1, *x.shape[2:]])[:n], blocks)
