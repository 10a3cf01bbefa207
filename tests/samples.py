"""Small real data sets that are not part of the repository: beside it, or where SAMPLES_DIR points."""

import os
from pathlib import Path

import pytest

_FOLDER = Path(os.environ.get("SAMPLES_DIR") or Path(__file__).parents[2] / "shared")


def sample(name: str) -> Path:
    """Returns the path of a sample; skips the test, with a line that says why, where it is absent."""
    path = _FOLDER / name
    if not path.exists():
        pytest.skip(f"no {path}: set SAMPLES_DIR to the folder that holds {name}")
    return path
