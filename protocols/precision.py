"""Which numbers convolutions are computed in."""

from __future__ import annotations

from protocols.errors import UserError

PRECISIONS = ("float32", "mixed_bfloat16")


def check_precision(precision: str) -> str:
    """Returns the precision, a name of `PRECISIONS`.

    Raises:
        UserError: there is no such precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"precision: {precision!r} is not known, use {' or '.join(PRECISIONS)}")
    return precision


def convolution_dtype(precision: str) -> str | None:
    """Returns Keras' policy for layers that may compute in bfloat16; None: as the model does."""
    return None if precision == "float32" else precision
