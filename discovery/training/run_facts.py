"""`run.json`: what ran, where, with which versions, and the steps from which it resumed."""

from __future__ import annotations

import datetime
import json
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from discovery.training.run_folder import FACTS_FILE
from discovery.whole_files import save_text, writing

_PACKAGES = ("tensorflow", "keras", "numpy", "unsupervised-object-discovery")


def current_versions() -> dict[str, str]:
    """Returns the versions of what is running."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # a checkout is not installed
    return found


def write_facts(folder: Path, facts: Mapping[str, Any], step: int) -> None:
    """Writes `run.json`: what ran, with which versions, and the steps from which it resumed.

    Args:
        folder: the run's folder.
        facts: what the run reports: `changed_flags` (text by name), `seed`, `device`, `parameters`.
        step: step from which the run resumes; 0 for a new one.

    Raises:
        UserError: it cannot be written.
    """
    earlier = _earlier(folder) if step else {}
    resumed = [at for at in earlier.get("resumed_at", []) if type(at) is int and at < step]
    now = {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "host": platform.node(),
        "commit": current_commit(),
        "command": shlex.join(["python", *sys.argv]),
    }
    told = {**facts, **now, "started": earlier.get("started", now["started"])}  # the first start counts
    told |= {"versions": current_versions(), "resumed_at": [*resumed, step] if step else []}
    with writing(folder / FACTS_FILE):
        save_text(folder / FACTS_FILE, json.dumps(told, indent=2) + "\n")


def current_commit() -> str | None:
    """Returns the short hash of the checkout's commit; None where there is none."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _earlier(folder):
    """Returns the contents of a resumed run's `run.json`; nothing where it is missing or damaged."""
    try:
        told = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError):
        return {}
    resumed = told.get("resumed_at") if isinstance(told, dict) else None
    return told if isinstance(resumed, list) and isinstance(told.get("started", ""), str) else {}
