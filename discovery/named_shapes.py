"""How two sets of named arrays differ: what a snapshot holds, and what a model has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_LISTED = 20


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Lists how arrays differ in names and shapes.

    Args:
        there: name -> shape, of what is read.
        here: name -> shape, of what it is for.

    Returns:
        One line, such as "missing there: a, b; of another shape or type: c ([2], here [3])"; empty if none.
    """
    missing = [name for name in here if name not in there]
    unexpected = [name for name in there if name not in here]
    unlike = [
        f"{name} ({there[name]}, here {here[name]})"
        for name in here
        if name in there and there[name] != here[name]
    ]
    kinds = (("missing there", missing), ("unknown here", unexpected), ("of another shape or type", unlike))
    return "; ".join(f"{kind}: {_shortened(names)}" for kind, names in kinds if names)


def _shortened(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
