"""Numbers that `benchmarks.run --json` writes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from discovery import UserError


def read_numbers(path: str) -> dict[str, dict[str, Any]]:
    """Reads what `--json` wrote: case -> numbers.

    Raises:
        UserError: the file is missing, or not one that `--json` wrote.
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


def in_a_process_of_its_own(case: str, seconds: float, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Measures one case as this script does alone.

    Raises:
        UserError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.json"
        command = [sys.executable, "-m", "benchmarks.run", f"--case={case}", f"--seconds={seconds}"]
        done = subprocess.run([*command, f"--json={path}", "--", *overrides], capture_output=True, text=True)
        if done.returncode != 0:
            raise UserError(f"--case={case} failed: {done.stderr.strip().splitlines()[-1:]}; run it alone")
        return json.loads(path.read_text())
