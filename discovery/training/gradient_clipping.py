"""Clipping of gradients by value and by global norm, and statistics of gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

GRADIENT_STATISTICS = ("grad/abs_max", "grad/abs_mean", "grad/mean", "grad/var")

Gradients = list[tf.Tensor | None]


@dataclass(frozen=True)
class Clipping:
    """Bounds of the all-reduced gradients; None entries (no gradient) pass through.

    Attributes:
        value: bound of every single element; 0 does not clip.
        norm: bound of the global norm, after clipping by value; 0 does not clip.
        norm_per_parameter: multiply the norm's bound by the square root of the number of parameters that have
            a gradient (SCAE); otherwise it is the bound itself (EfficientMORL).
        norm_margin: added to the norm in the coefficient bound / (norm + margin); PyTorch has 1e-6.
    """

    value: float = 0.0
    norm: float = 0.0
    norm_per_parameter: bool = True
    norm_margin: float = 0.0

    @property
    def active(self) -> bool:
        """Whether anything is clipped."""
        return self.value > 0 or self.norm > 0

    def clip(self, gradients: Gradients) -> tuple[Gradients, tf.Tensor]:
        """Returns the clipped gradients and their global norm []."""
        if self.value > 0:
            gradients = [g if g is None else tf.clip_by_value(g, -self.value, self.value) for g in gradients]
        norm = tf.linalg.global_norm(gradients)  # []
        if self.norm > 0:
            bound = self.norm * (math.sqrt(n_parameters(gradients)) if self.norm_per_parameter else 1.0)
            scale = tf.minimum(1.0, bound / (norm + self.norm_margin))  # [], 0 where the norm is infinite
            gradients = [g if g is None else g * scale for g in gradients]
            norm = norm * scale
        return gradients, norm


def n_parameters(gradients: Sequence[tf.Tensor | None]) -> int:
    """Counts the elements of all gradients that exist."""
    return sum(g.shape.num_elements() for g in gradients if g is not None)


def gradient_statistics(gradients: Sequence[tf.Tensor | None]) -> dict[str, tf.Tensor]:
    """Returns largest and mean magnitude, mean, and the sum of each variable's variance over the count."""
    present = [g for g in gradients if g is not None]
    n = n_parameters(present) + 1e-8
    values = (
        tf.reduce_max(tf.stack([tf.reduce_max(tf.abs(g)) for g in present])),
        tf.add_n([tf.reduce_sum(tf.abs(g)) for g in present]) / n,
        tf.add_n([tf.reduce_sum(g) for g in present]) / n,
        tf.add_n([tf.math.reduce_variance(g) for g in present]) / n,
    )
    return dict(zip(GRADIENT_STATISTICS, values, strict=True))
