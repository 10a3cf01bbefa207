"""Flags that are paths: `~` is the home folder in all, and runs store whole paths, found from any folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from absl import flags

FLAGS = flags.FLAGS

#: Name of a path flag -> what completes its value.
_PATHS: dict[str, Callable[[str], str]] = {}


def expanded(path: str) -> str:
    """Returns a path with the home folder for `~`."""
    return os.path.expanduser(path)


def whole(path: str) -> str:
    """Returns a path from the root, likewise."""
    return os.path.join(os.getcwd(), expanded(path))


def whole_template(path: str) -> str:
    """Returns a path from the root in which `{name}` is a field, but no brace of the current folder's."""
    return os.path.join(escaped(os.getcwd()), expanded(path))


def escaped(path: str) -> str:
    """Returns a path as part of a template such as `--logdir`: braces are its own, and not fields."""
    return path.replace("{", "{{").replace("}", "}}")


def define_path(
    name: str, default: str | None, about: str, complete: Callable[[str], str] = expanded, **options: bool
) -> None:
    """Defines a flag that is a path, as `flags.DEFINE_string` does.

    Args:
        name: the flag's name.
        default: its value where it is not given.
        about: its help.
        complete: what completes its value; `whole` where a run stores it.
        **options: of `flags.DEFINE_string`.
    """
    flags.DEFINE_string(name, default, about, **options)
    _PATHS[name] = complete


def complete_paths() -> None:
    """Completes the values of all path flags, once the command line is read."""
    for name in _PATHS:
        flag = FLAGS[name]
        if flag.present:
            flag.value = completed(name, flag.value)
        elif flag.default:
            FLAGS.set_default(name, completed(name, flag.default))


def completed(name: str, value: Any) -> Any:
    """Returns a flag's value as `complete_paths` leaves it; flags that are no paths keep theirs."""
    return _PATHS[name](value) if name in _PATHS and value else value
