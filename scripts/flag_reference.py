"""Writes the reference of all flags, from the scripts' own `--help`.

python -m scripts.flag_reference > docs/flags.md
"""

from __future__ import annotations

import os
import subprocess
import sys

from .console import COMMANDS

_HEAD = """# Flags

Every script's `--help`. This page is made by `python -m scripts.flag_reference > docs/flags.md`.
"""


def page() -> str:
    """Returns the page, in Markdown."""
    return "\n".join([_HEAD, *(f"## {name}\n\n```text\n{_help(name)}\n```\n" for name in COMMANDS)])


def _help(name):
    return subprocess.run(
        [sys.executable, "-m", f"{__package__}.{name}", "--help"],
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


if __name__ == "__main__":
    sys.stdout.write(page())
