"""What is known of every object, column by column; evaluation (DCI) needs names and kinds."""

from __future__ import annotations

from typing import NamedTuple


class Factor(NamedTuple):
    """One column of `factors` [B, E, F].

    Attributes:
        name: What it is.
        kind: "continuous" (a regression) or "discrete" (a classification).
    """

    name: str
    kind: str


def _columns(continuous: str, discrete: str) -> tuple[Factor, ...]:
    # Visibility stands last, as in the original's files: 1 for objects that are there and for the background.
    named = [Factor(name, "continuous") for name in continuous.split()]
    named += [Factor(name, "discrete") for name in discrete.split()]
    return (*named, Factor("visibility", "discrete"))


_CLEVR = _columns("x y z rotation", "size material shape color")

#: Columns of `factors` for every data set; entity 0 is the background, its columns are 0 but for visibility.
FACTORS: dict[str, tuple[Factor, ...]] = {
    "tetrominoes": _columns("x y", "shape red green blue"),
    "multi_dsprites": _columns("x y orientation scale red green blue", "shape"),
    "clevr6": _CLEVR,
    "clevr6_128": _CLEVR,
    "clevrtex": _columns("rotation", "size material shape"),
}
