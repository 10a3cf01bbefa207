"""Flags that are paths: `~` is the home folder in all, and runs store whole paths, found from any folder."""

from __future__ import annotations

import os
from collections.abc import Callable

from absl import flags

FLAGS = flags.FLAGS

#: Name of a path flag -> what completes its value.
_PATHS: dict[str, Callable[[str], str]] = {}


def expanded(path: str) -> str:
    """Returns a path with the home folder for `~`."""
    return os.path.expanduser(path)


def whole(path: str) -> str:
    """Returns a path from the root, likewise; "" stays."""
    return os.path.join(os.getcwd(), expanded(path)) if path else path


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
    for name, complete in _PATHS.items():
        flag = FLAGS[name]
        if flag.present and flag.value:
            flag.value = complete(flag.value)
        elif not flag.present and flag.default:
            FLAGS.set_default(name, complete(flag.default))
