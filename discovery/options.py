"""Options as fields of a dataclass, each declared once: default, meaning, what it may be, what it shapes.

Flags, `--help`, the checks of values, the files of flags and the flags that a resumed run may not change all
follow from these declarations.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable
from types import UnionType
from typing import Any

from discovery.errors import UserError

_KEY = "option"


@dataclasses.dataclass(frozen=True)
class Option:
    """What is declared about a field, besides its name, type and default.

    Attributes:
        help: what it means, in a line.
        topic: heading in `--help` of this option and those after it; None: as the option before.
        choices: the allowed strings; empty: any.
        least: the smallest allowed number; None: any.
        most: the largest, likewise.
        shapes: whether it shapes the model's variables, so that a resumed run may not change it.
        later: whether it is newer than runs that lack it, which were trained as its default says.
        flag: whether it is a flag of every script; otherwise it follows from others, or few scripts have it.
        text: its default as a flag, where `read` turns a flag's text into a value.
        read: that function; it raises a UserError.
        path: whether it is a path.
    """

    help: str = ""
    topic: str | None = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    shapes: bool = False
    later: bool = False
    flag: bool = True
    text: str | None = None
    read: Callable[[str], Any] | None = None
    path: bool = False


def option(default: Any, help: str = "", **declared: Any) -> Any:
    """Returns a field of a dataclass with a default and what `Option` declares."""
    return dataclasses.field(default=default, metadata={_KEY: Option(help, **declared)})


def options_in(config_class: type) -> dict[str, Option]:
    """Returns what is declared about each field of a dataclass, in order."""
    return {field.name: field.metadata.get(_KEY, Option()) for field in dataclasses.fields(config_class)}


def shaping(config_class: type) -> set[str]:
    """Returns the names of the options that shape a model's variables."""
    return {name for name, declared in options_in(config_class).items() if declared.shapes}


def check_options(options: Any) -> None:
    """Checks the values of a dataclass against their declarations.

    Raises:
        UserError: one is not among the choices, is out of range, or is not finite where it must be.
    """
    types = typing.get_type_hints(type(options))
    for name, declared in options_in(type(options)).items():
        value = getattr(options, name)
        if declared.choices and value not in declared.choices:
            raise UserError(f"{name} must be one of {', '.join(declared.choices)}, not {value!r}.")
        union = typing.get_origin(types[name]) in (typing.Union, UnionType)
        kinds = set(typing.get_args(types[name])) if union else {types[name]}
        if kinds <= {int, float, type(None)} and value is not None:
            _check_number(name, value, declared, whole=float not in kinds)


def _check_number(name, value, declared, whole):
    low = -math.inf if declared.least is None else declared.least
    high = math.inf if declared.most is None else declared.most
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        kind = "an integer" if whole else "a finite number"
    elif not math.isfinite(value):
        kind = "a finite number"
    elif not low <= value <= high:
        kind = "an integer" if whole else ""
    else:
        return
    bounds = "" if low == -math.inf else f"at least {low}" if high == math.inf else f"from {low} to {high}"
    wanted = f"{kind} of {bounds}" if whole and bounds.startswith("at") else f"{kind} {bounds}".strip()
    raise UserError(f"{name} must be {wanted}, not {value!r}.")


def same_option(config_class: type, name: str) -> Any:
    """Returns a field with the same declaration as one of another dataclass."""
    [field] = [f for f in dataclasses.fields(config_class) if f.name == name]
    return dataclasses.field(default=field.default, metadata=field.metadata)
