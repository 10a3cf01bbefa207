"""Trained weights that come with the packages: `pretrained/NAME/`, in a checkout and in the wheel.

Each folder is a run's folder whose snapshot holds only weights. Its `scores.json`, which
`scripts/make_pretrained.py` writes, says what was measured:

    name      the folder's name
    score     {"evaluation", "name", "value"}: the score that tests measure again; `name` is its path within
              scores[evaluation], such as "unsupervised.transfer.prior.valid" or "ARI.mean"
    scores    evaluation -> everything that its script wrote
    data, seed, step, hours, machine, command: how the weights were trained
    commit    the commit of the code that made the folder
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from discovery import installation
from discovery.errors import UserError
from discovery.experiments import who_takes
from discovery.flag_files import FLAGS_FILE, read_flag_file

#: Beside the packages, both in a checkout and where they are installed.
PRETRAINED = installation.folder("pretrained")

#: What distinguishes a folder of pretrained weights from one that training writes.
SCORES_FILE = "scores.json"

#: Flags that are paths on the machine that trained.
_PLACES = ("data_dir", "valid_file", "data_path", "h5_path", "out_dir", "checkpoint", "run_suffix")
_PLACES += ("weights_from", "load_from_checkpoint")


def is_pretrained(folder: Path) -> bool:
    """Whether a run's folder is one of pretrained weights, in which nothing else is written."""
    return (folder / SCORES_FILE).is_file()


def pretrained_names(models: Collection[str] = ()) -> list[str]:
    """Returns the names of the pretrained weights that there are.

    Args:
        models: allowed values of `--model`; by default any.
    """
    folders = [path.parent for path in sorted(PRETRAINED.glob(f"*/{SCORES_FILE}"))]
    return [f.name for f in folders if not models or read_flag_file(f / FLAGS_FILE).get("model") in models]


def find_pretrained(name: str, models: Collection[str] = ()) -> Path:
    """Returns the folder of pretrained weights.

    Args:
        name: the folder's name.
        models: allowed values of `--model`; by default any.

    Raises:
        UserError: there are none of that name for those models.
    """
    names = pretrained_names(models)
    if name in names:
        return PRETRAINED / name
    if name in pretrained_names():
        model = read_flag_file(PRETRAINED / name / FLAGS_FILE).get("model", "")
        choice = f"; choose one of {', '.join(names)}" if names else ""
        hint = who_takes(model, "load_pretrained")
        raise UserError(f"the pretrained weights {name!r} are for the model {model!r}{hint}{choice}")
    if names:
        raise UserError(f"there are no pretrained weights {name!r} here; choose one of {', '.join(names)}")
    raise UserError(
        f"there are no pretrained weights {name!r}, nor any others of {' or '.join(models) or 'a model'}, in "
        "this copy: they come with the folder pretrained/ of the repository, and with a wheel built from it"
    )


def beside_packages(path: str, models: Collection[str] = ()) -> str:
    """Lets `pretrained/NAME` mean the folder beside the packages where the current folder has none.

    Args:
        path: any path.
        models: allowed values of `--model`; by default any.

    Raises:
        UserError: there is none of that name beside the packages either.
    """
    found = re.fullmatch(r"pretrained/(\w+)(/.*)?", path)
    if not found or os.path.exists(f"pretrained/{found[1]}"):
        return path
    return f"{find_pretrained(found[1], models)}{found[2] or ''}"


def neutral_flags(run_flags: Mapping[str, str], name: str) -> dict[str, str]:
    """Returns the flags of a run under another name, without paths on the machine that trained it."""
    kept = {flag: value for flag, value in run_flags.items() if flag not in _PLACES}
    return kept | {"name": name, "logdir": "checkpoints/{name}"}


def score_at(values: Mapping[str, Any], name: str) -> Any:
    """Returns the value at a path such as "ARI.mean"; None where there is none."""
    for part in name.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values
