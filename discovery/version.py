"""The version of all packages, which `pyproject.toml` states."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

_NAME = "unsupervised-object-discovery"


def version() -> str:
    """Returns the version of the running code: the checkout's, even beside an installed one, or the wheel's.

    It is "unknown" for packages that were copied without either.
    """
    try:
        project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
        if project["name"] == _NAME:
            return project["version"]
    except (OSError, ValueError, KeyError):  # the packages are installed
        pass
    try:
        return metadata.version(_NAME)
    except metadata.PackageNotFoundError:
        return "unknown"


__version__ = version()
