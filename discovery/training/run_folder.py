"""A run's folder `{logdir}/{name}/`: its flags, and the rules for starting in it again."""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from discovery import UserError
from discovery.flag_files import FLAGS_FILE, read_flag_file
from discovery.training.run_lock import LOCK_FILE
from discovery.training.save_and_resume import list_snapshots, remove_unfinished
from discovery.whole_files import writing

METRICS_FILE = "metrics.jsonl"
#: What ran, for the report: flags that differ from the defaults, versions, seed.
FACTS_FILE = "run.json"
#: The page that shows the run.
REPORT_FILE = "report.html"

#: Everything that a run, its evaluation and its plots write.
_OURS = (
    *(
        "model.ckpt-*",
        ".unfinished-*",
        "checkpoint",
        "events.*",
        METRICS_FILE,
        "plots",
        "eval",
        *(FACTS_FILE, f"{FACTS_FILE}.tmp", REPORT_FILE, f"{REPORT_FILE}.tmp"),
    ),
    *("*.png", f"{METRICS_FILE}.tmp", f"{FLAGS_FILE}.tmp", FLAGS_FILE),
)


def folder_of_run(logdir: str, name: str) -> Path:
    """Fills the name into the template `logdir`, e.g. `checkpoints/{name}`.

    Raises:
        UserError: the template has other fields than `{name}`, or the name would leave its folder.
    """
    if not name or name in (".", "..") or "/" in name or os.sep in name:
        raise UserError(f"--name={name} cannot name a run: give a name without slashes")
    try:
        return Path(os.path.expanduser(logdir).format(name=name))
    except (KeyError, IndexError, ValueError):
        raise UserError(
            f"--logdir={logdir} is not a template: only {{name}} may be a field, and other braces are doubled"
        ) from None


def prepare_run_folder(
    folder: Path, flags: Mapping[str, str], architecture: Collection[str] = (), overwrite: bool = False
) -> list[str]:
    """Prepares the folder for a run with these flags, new or resumed; `write_flags` follows once it runs.

    Call it within `run_lock(folder)`.

    Args:
        folder: the run's folder.
        flags: every flag by name, as text that the command line would accept.
        architecture: names of the flags that a resumed run may not change.
        overwrite: delete what an earlier run has written.

    Returns:
        prefixes of the snapshots to resume from, oldest first; empty for a new run.

    Raises:
        UserError: the folder cannot be written, holds what no run writes (with `overwrite`), or belongs to a
            run with another architecture. Nothing is changed then.
    """
    _check_values(flags)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            _clear(folder)
        snapshots = list_snapshots(folder)
        if snapshots:
            _check_architecture(folder, flags, architecture)
        remove_unfinished(folder)
    except OSError as error:
        raise UserError(
            f"cannot write to the run's folder {folder}: {error.strerror or error}; choose another --logdir"
        ) from None
    return snapshots


def write_flags(folder: Path, flags: Mapping[str, str]) -> None:
    """Writes `flags.txt`, which `--flagfile` accepts; without --overwrite, so that using it keeps the run."""
    _check_values(flags)
    temporary = folder / f"{FLAGS_FILE}.tmp"
    lines = [f"--{name}={'false' if name == 'overwrite' else value}\n" for name, value in flags.items()]
    with writing(folder / FLAGS_FILE):
        temporary.write_text("".join(lines), encoding="utf-8")
        os.replace(temporary, folder / FLAGS_FILE)


def read_flags(folder: Path) -> dict[str, str]:
    """Returns the flags of `flags.txt` by name; none where there is no such file.

    Raises:
        UserError: the file is not what `write_flags` writes.
    """
    path = folder / FLAGS_FILE
    return read_flag_file(path) if path.exists() else {}


def _check_values(flags):
    broken = [name for name, value in flags.items() if "\n" in value]
    if broken:
        raise UserError(f"--{broken[0]} has a line break in its value: give it on one line")


def _check_architecture(folder, flags, architecture):
    before = read_flags(folder)
    differing = [
        f"--{name}={before[name]} (now {flags[name]})"
        for name in sorted(architecture)
        if name in before and name in flags and before[name] != flags[name]
    ]
    if differing:
        raise UserError(
            f"{folder} holds a run with another architecture: {', '.join(differing)}; "
            "give these flags as they were, another --name, or --overwrite"
        )


def _clear(folder):
    entries = sorted(entry.name for entry in folder.iterdir() if entry.name != LOCK_FILE)
    strangers = [name for name in entries if not any(fnmatch.fnmatch(name, pattern) for pattern in _OURS)]
    if strangers:
        raise UserError(
            f"--overwrite will not clear {folder}: it holds {', '.join(strangers[:5])}, which no run writes; "
            "move that away or choose another --name"
        )
    if entries and not (FLAGS_FILE in entries or list_snapshots(folder)):
        raise UserError(f"--overwrite will not clear {folder}: not a run's folder; choose another --name")
    # Without its flags the folder could not be recognized if this is killed, so they go last.
    for name in sorted(entries, key=lambda name: name == FLAGS_FILE):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
