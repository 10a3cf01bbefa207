"""Nonlinearities that flags can name."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from discovery import UserError


def relu1(x: tf.Tensor) -> tf.Tensor:
    """Clips to [0, 1]; as with ReLU, the gradient at both ends is zero."""
    return tf.nn.relu6(6.0 * x) / 6.0


NONLINEARITIES: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "elu": tf.nn.elu,
    "linear": tf.identity,
    "relu": tf.nn.relu,
    "relu1": relu1,
    "relu6": tf.nn.relu6,
    "sigmoid": tf.nn.sigmoid,
    "softplus": tf.nn.softplus,
    "tanh": tf.nn.tanh,
}


def nonlinearity(name: str, option: str = "nonlinearity") -> Callable[[tf.Tensor], tf.Tensor]:
    """Looks up a nonlinearity.

    Args:
        name: Its name.
        option: The option that names it, for the error message.

    Raises:
        UserError: There is no nonlinearity of that name.
    """
    if name not in NONLINEARITIES:
        raise UserError(f"{option}: {name!r} is not known, use one of {', '.join(NONLINEARITIES)}")
    return NONLINEARITIES[name]
