"""Checks images and points that users pass to the models, before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from discovery.errors import UserError


def checked_images(images: Any, shape: tuple[int, ...]) -> tf.Tensor:
    """Turns images into a tensor float32 [B, *shape].

    Args:
        images: an array or a tensor of floats in [0, 1]. The values of symbolic tensors are not checked.
        shape: the (H, W, C) that the model was built for.

    Raises:
        UserError: they are bytes or other integers, have another shape, or are not in [0, 1].
    """
    tensor = _tensor(images, "images")
    if tensor.shape.rank != 1 + len(shape) or not tensor.shape[1:].is_compatible_with(shape):
        hint = "; add an axis for the batch: images[None]" if tensor.shape == shape else ""
        sizes = ", ".join(map(str, shape))
        raise UserError(f"images: give an array [B, {sizes}], not one of {_sizes(tensor)}{hint}")
    if not tensor.dtype.is_floating:
        raise UserError(f"images: they are {tensor.dtype.name}, not floats in [0, 1]: give images / 255")
    if hasattr(tensor, "numpy") and tensor.shape.num_elements():
        low, high = float(tf.reduce_min(tensor)), float(tf.reduce_max(tensor))
        if not (low >= 0.0 and high <= 1.0):  # NaN is in no range
            raise UserError(f"images: their values range from {low:g} to {high:g}, but must be in [0, 1]")
    return tf.cast(tensor, tf.float32)


def checked_points(points: Any, presence: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns points and their presences into tensors float32 [B, N, 2] and [B, N].

    Args:
        points: an array or a tensor of finite numbers.
        presence: 0 or 1 for each; None: all are present.

    Raises:
        UserError: they have another shape or invalid values.
    """
    tensor = _tensor(points, "points")
    if tensor.shape.rank != 3 or tensor.shape[-1] != 2:
        raise UserError(f"points: give an array [B, N, 2], not one of {_sizes(tensor)}")
    tensor = tf.cast(tensor, tf.float32)
    if presence is None:
        present = tf.ones_like(tensor[..., 0])  # [B, N]
    else:
        present = tf.cast(_tensor(presence, "presence"), tf.float32)
    if not present.shape.is_compatible_with(tensor.shape[:2]):
        raise UserError(f"presence: give an array {_sizes(tensor[..., 0])}, not one of {_sizes(present)}")
    if hasattr(tensor, "numpy") and not np.isfinite(tensor.numpy()).all():
        raise UserError(
            "points: some are not finite; where a point is absent, give presence 0 and any numbers"
        )
    if hasattr(present, "numpy") and not np.isin(present.numpy(), (0.0, 1.0)).all():
        raise UserError("presence: it must be 0 or 1 for each point")
    return tensor, present


def _tensor(values, name):
    try:
        return tf.convert_to_tensor(values)
    except (TypeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{name}: give an array or a tensor of numbers ({reason})") from None


def _sizes(tensor):
    return "[" + ", ".join("B" if n is None else str(n) for n in tensor.shape) + "]"
