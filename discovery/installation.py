"""Where folders beside the packages are, and how scripts are called: in a checkout, and from a wheel."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
#: A wheel holds scripts/, configs/ and pretrained/ inside this package, so that they collide with no others.
_INSTALLED = (_HERE / "configs").is_dir()


def folder(name: str) -> Path:
    """Returns the folder that a checkout has beside the packages."""
    return (_HERE if _INSTALLED else _HERE.parent) / name


def command(script: str) -> str:
    """Returns the command that runs a module of `scripts`; flags may follow its name."""
    name, _, flags = script.partition(" ")
    called = f"discovery-{name.replace('_', '-')}" if _INSTALLED else f"python -m scripts.{name}"
    return f"{called} {flags}".strip()
