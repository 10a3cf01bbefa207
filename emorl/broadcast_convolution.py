"""The first convolution of a broadcast decoder, without convolving what is spatially constant."""

from __future__ import annotations

import tensorflow as tf


def convolve_broadcast(
    slots: tf.Tensor, position: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, border: int
) -> tf.Tensor:
    """Convolves slots that are broadcast over a grid and have its position map added.

    A convolution is linear: the position map, the same for all slots, is convolved once, and a slot's part
    is one vector wherever the kernel does not touch the border. Next to a border of zeros, only some of the
    kernel's rows or columns count, which makes 2 border + 1 classes of positions along each axis.

    Args:
        slots: [n, z].
        position: [g, g, z], added to every slot.
        kernel: [k, k, z, c], stride 1.
        bias: [c].
        border: width of the zeros around the grid, less than k.

    Returns:
        [n, o, o, c] with o = g + 2 border - k + 1.
    """
    k, size = kernel.shape[0], position.shape[0] + 2 * border - kernel.shape[0] + 1
    padded = tf.pad(position[None], [[0, 0], [border, border], [border, border], [0, 0]])
    position_map = tf.nn.conv2d(padded, kernel, 1, "VALID") + bias  # [1, o, o, c]
    # seen: [2 border + 1, k], which rows of the kernel lie inside the grid
    seen = [[float(i >= border - j) for i in range(k)] for j in range(border)]
    seen += [[1.0] * k]
    seen += [[float(i < k - j - 1) for i in range(k)] for j in range(border)]
    seen = tf.constant(seen, kernel.dtype)
    sums = tf.einsum("ai,bj,ijzc->zabc", seen, seen, kernel)  # [z, 2 border + 1, 2 border + 1, c]
    slot_map = tf.tensordot(slots, sums, 1)  # [n, 2 border + 1, 2 border + 1, c]
    slot_map = _widen(
        _widen(slot_map, size, border, axis=2), size, border, axis=1
    )  # broadcasts to [n, o, o, c]
    return slot_map + position_map


def _widen(x, size, border, axis):
    """Repeats the middle of `axis`; without borders, this is left to broadcasting."""
    if border == 0:
        return x
    first, middle, last = tf.split(x, [border, 1, border], axis)
    shape = [tf.shape(x)[0], *x.shape[1:]]
    shape[axis] = size - 2 * border
    return tf.concat([first, tf.broadcast_to(middle, shape), last], axis)
