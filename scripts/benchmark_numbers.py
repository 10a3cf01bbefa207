"""Numbers that `scripts.benchmark --json` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from protocols import UserError


def read_numbers(path: str) -> dict[str, dict[str, Any]]:
    """Reads what `--json` wrote: case -> numbers.

    Raises:
        UserError: the file is not there, or no such file.
    """
    try:
        numbers = json.loads(Path(path).read_text())
        if "case" in numbers:
            numbers = {numbers["case"]: numbers}
        return {
            case: {**of_case, "examples_per_s": float(of_case["examples_per_s"])}
            for case, of_case in numbers.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: {error}; give a file that --json wrote") from None
