"""Options that a dataclass gained after runs had been trained without them."""

from __future__ import annotations

import dataclasses
from typing import Any

_LATER = "later"


def later_option(default: Any) -> Any:
    """Returns the field of an option that earlier runs do not tell: they were trained as its default says."""
    return dataclasses.field(default=default, metadata={_LATER: True})


def is_later(field: dataclasses.Field) -> bool:
    """Says whether it was made by `later_option`."""
    return field.metadata.get(_LATER, False)
