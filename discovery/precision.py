"""The number formats that convolutions compute in."""

from __future__ import annotations

from discovery.errors import UserError

PRECISIONS = ("float32", "mixed_bfloat16")
_CPU_INFO = "/proc/cpuinfo"


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


def slow_bfloat16() -> str | None:
    """Returns what to do where this processor has no native bfloat16; None: nothing.

    Without AVX-512, bfloat16 is emulated. Where the system does not report the processor's features, the
    result is None.
    """
    try:
        with open(_CPU_INFO, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return None
    if "avx2" not in text or "avx512bw" in text:
        return None
    return "this processor has no AVX-512, without which bfloat16 is very slow: use --precision=float32"
