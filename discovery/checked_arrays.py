"""Checks images, labels and points that users pass to the models, before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from discovery.errors import UserError

#: The largest value that still looks like 1: floats of images that were resized go a little beyond.
_OVERSHOT = 1.25


def checked_images(images: Any, shape: tuple[int, ...], dtype: Any = tf.float32) -> tf.Tensor:
    """Turns images into a tensor of floats [B, *shape] in [0, 1].

    Args:
        images: an array or a tensor, floats in [0, 1] or uint8 in [0, 255]. The values of symbolic tensors
            are not checked.
        shape: the (H, W, C) that the model was built for.
        dtype: of the result.

    Raises:
        UserError: they have another type or shape, are not in [0, 1], are uint8 with no value above 1, or
            there are none.
    """
    tensor = _tensor(images, "images")
    if tensor.shape.rank != 1 + len(shape) or not tensor.shape[1:].is_compatible_with(shape):
        sizes = ", ".join(map(str, shape))
        hint = ""
        if tensor.shape == shape:
            hint = "; add an axis for the batch: images[None]"
        elif tensor.shape.rank == 4 and tensor.shape[1:] == (shape[-1], *shape[:-1]):
            hint = "; channels come last: images.transpose(0, 2, 3, 1)"
        raise UserError(f"images: give an array [B, {sizes}], not one of {_sizes(tensor)}{hint}")
    _check_some(tensor, "images")
    is_known = hasattr(tensor, "numpy")
    if tensor.dtype == tf.uint8:
        if is_known and int(tf.reduce_max(tensor)) == 1:
            raise UserError(
                "images: they are uint8, but no value is above 1, which would be almost black: give "
                'images.astype("float32") if 1 means white, images / 255 if it means almost black'
            )
        return tf.cast(tensor, dtype) / 255
    if not tensor.dtype.is_floating:
        hint = ""
        if tensor.dtype.is_integer and is_known:
            low, high = int(tf.reduce_min(tensor)), int(tf.reduce_max(tensor))
            hint = ': images.astype("uint8")' if low >= 0 and 1 < high <= 255 else ""
        raise UserError(
            f"images: they are {tensor.dtype.name}; give floats in [0, 1], or uint8 in [0, 255]{hint}"
        )
    if is_known:
        low, high = float(tf.reduce_min(tensor)), float(tf.reduce_max(tensor))
        if low != low:
            raise UserError("images: some values are NaN, but all must be in [0, 1]")
        if not (low >= 0.0 and high <= 1.0):
            raise UserError(
                f"images: their values range from {low:g} to {high:g}, but must be in [0, 1]"
                f"{_range_advice(low, high)}"
            )
    return tf.cast(tensor, dtype)


def _range_advice(low, high):
    """Says how to bring values to [0, 1], if their range shows what they are."""
    if low >= 0.0 and _OVERSHOT < high <= 255.0:
        return ": give images / 255"
    if low > 1.0 - _OVERSHOT and high < _OVERSHOT:  # bicubic resizing overshoots
        return ": give images.clip(0, 1)"
    if low >= -1.0 and high <= 1.0:
        return ": give (images + 1) / 2 if they were scaled to [-1, 1]"
    return ""


def checked_labels(labels: Any, n_classes: int) -> tf.Tensor:
    """Turns the classes of images into a tensor int64 [B].

    Args:
        labels: whole numbers [B] or [B, 1] in [0, n_classes). The values of symbolic tensors are not checked.
        n_classes: the number of classes that the model was built for.

    Raises:
        UserError: they are something else.
    """
    tensor = _tensor(labels, "labels")
    if tensor.shape.rank is None:  # Keras traces [B] and then [B, 1]; both were checked before
        tensor = tf.reshape(tensor, [-1])
    if tensor.shape.rank == 2 and tensor.shape[1] == 1:
        tensor = tensor[:, 0]
    if tensor.shape.rank != 1:
        hint = "; of one-hot labels, give labels.argmax(-1)" if tensor.shape[-1:] == (n_classes,) else ""
        raise UserError(f"labels: give an array [B], not one of {_sizes(tensor)}{hint}")
    if not (tensor.dtype.is_integer or tensor.dtype.is_floating):
        raise UserError(f"labels: they are {tensor.dtype.name}; give integers in [0, {n_classes})")
    classes = tf.cast(tensor, tf.int64)  # [B]
    if hasattr(tensor, "numpy") and tensor.shape.num_elements():
        if tensor.dtype.is_floating and not bool(tf.reduce_all(tf.cast(classes, tensor.dtype) == tensor)):
            raise UserError("labels: some are no whole numbers; give integers, the class of each image")
        low, high = int(tf.reduce_min(classes)), int(tf.reduce_max(classes))
        if low < 0 or high >= n_classes:
            raise UserError(
                f"labels: they range from {low} to {high}, but the model was built with n_classes={n_classes}"
            )
    return classes


def checked_points(points: Any, presence: Any = None, dtype: Any = tf.float32) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns points and their presences into tensors of floats [B, N, 2] and [B, N].

    Args:
        points: an array or a tensor of finite numbers. The values of symbolic tensors are not checked.
        presence: 0 or 1 for each; None: all are present.
        dtype: of the result.

    Raises:
        UserError: they have another shape or invalid values.
    """
    tensor = _tensor(points, "points")
    if tensor.shape.rank != 3 or tensor.shape[-1] != 2:
        raise UserError(f"points: give an array [B, N, 2], not one of {_sizes(tensor)}")
    _check_some(tensor, "points")
    tensor = _cast(tensor, "points", dtype)
    if presence is None:
        present = tf.ones_like(tensor[..., 0])  # [B, N]
    else:
        present = _cast(_tensor(presence, "presence"), "presence", dtype)
    if not present.shape.is_compatible_with(tensor.shape[:2]):
        raise UserError(f"presence: give an array {_sizes(tensor[..., 0])}, not one of {_sizes(present)}")
    if hasattr(tensor, "numpy") and not np.isfinite(tensor.numpy()).all():
        raise UserError(
            "points: some are not finite; where a point is absent, give presence 0 and any numbers"
        )
    if hasattr(present, "numpy") and not np.isin(present.numpy(), (0.0, 1.0)).all():
        raise UserError("presence: it must be 0 or 1 for each point")
    return tensor, present


def checked_patterns(patterns: Any, presence: tf.Tensor) -> tf.Tensor:
    """Turns the pattern of each point into a tensor int64 [B, N].

    Args:
        patterns: integers [B, N]; what an absent point has does not matter.
        presence: [B, N], of the points.

    Raises:
        UserError: they are something else.
    """
    tensor = _tensor(patterns, "patterns")
    if not tensor.dtype.is_integer or not tensor.shape.is_compatible_with(presence.shape):
        raise UserError(
            f"patterns: give integers {_sizes(presence)}, not {tensor.dtype.name} {_sizes(tensor)}"
        )
    return tf.cast(tensor, tf.int64)


def checked_slots(slots: Any, z_size: int, dtype: Any = tf.float32) -> tf.Tensor:
    """Turns slots into a tensor of floats [B, K, z].

    Raises:
        UserError: they have another shape.
    """
    tensor = _tensor(slots, "slots")
    if tensor.shape.rank != 3 or not tensor.shape[2:].is_compatible_with([z_size]):
        raise UserError(f"slots: give an array [B, K, {z_size}], not one of {_sizes(tensor)}")
    tensor = _cast(tensor, "slots", dtype)
    if hasattr(tensor, "numpy") and not np.isfinite(tensor.numpy()).all():
        raise UserError("slots: some values are not finite")
    return tensor


def _check_some(tensor, name):
    if 0 in tensor.shape:
        raise UserError(f"{name}: there are none in an array {_sizes(tensor)}")


def _cast(tensor, name, dtype):
    """Casts numbers and truth values; the imaginary part of complex numbers would be dropped."""
    if not (tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool):
        raise UserError(f"{name}: they are {tensor.dtype.name}; give numbers")
    return tf.cast(tensor, dtype)


def _tensor(values, name):
    try:
        return tf.convert_to_tensor(values)
    except (TypeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{name}: give an array or a tensor of numbers ({reason})") from None


def _sizes(tensor):
    return "[" + ", ".join("B" if n is None else str(n) for n in tensor.shape) + "]"
