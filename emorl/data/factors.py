"""What is known about every object, column by column; evaluations (DCI) need names and kinds."""

from __future__ import annotations

from typing import NamedTuple


class Factor(NamedTuple):
    """One column of `factors` [B, E, F].

    Attributes:
        name: Its name.
        kind: "continuous" (a regression) or "discrete" (a classification).
    """

    name: str
    kind: str


def columns(continuous: str, discrete: str) -> tuple[Factor, ...]:
    """Returns the named columns, and visibility, 1 for objects that are present and the background."""
    named = [Factor(name, "continuous") for name in continuous.split()]
    named += [Factor(name, "discrete") for name in discrete.split()]
    return (*named, Factor("visibility", "discrete"))  # last, as in the original's files
