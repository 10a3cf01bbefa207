"""Initializers of weight matrices and convolution kernels."""

from __future__ import annotations

import keras

#: Standard deviation of a standard normal truncated at two; Keras divides by it, the reference does not.
_STD_OF_TRUNCATED = 0.87962566103423978


def fan_in_normal(n_matrices: int = 1) -> keras.initializers.Initializer:
    """Truncated normal with a standard deviation of 1/sqrt(fan-in) before truncation.

    Each weight needs its own instance: an instance draws the same values each time it is called.

    Args:
        n_matrices: Length of the first axis if it indexes independent matrices, which Keras would count
            toward the fan-in.
    """
    return keras.initializers.VarianceScaling(
        scale=n_matrices * _STD_OF_TRUNCATED**2, mode="fan_in", distribution="truncated_normal"
    )
