"""Files of flags, `--name=value` line by line: the configurations of `configs/`, and a run's `flags.txt`."""

from __future__ import annotations

import dataclasses
import typing
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from discovery import installation
from discovery.errors import UserError
from discovery.experiments import who_takes
from discovery.options import options_in

FLAGS_FILE = "flags.txt"

#: Beside the packages, both in a checkout and where they are installed.
CONFIGS = installation.folder("configs")

_TRUE, _FALSE = ("true", "t", "1"), ("false", "f", "0")
Options = TypeVar("Options")


def read_flag_file(path: Path) -> dict[str, str]:
    """Returns flags by name; lines that do not begin with `--` are comments.

    Raises:
        UserError: the file cannot be read, or contains anything else.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        pairs = [line.removeprefix("--").split("=", 1) for line in lines if line.startswith("--")]
        return {name: value for name, value in pairs}
    except (OSError, ValueError):
        raise UserError(f"{path} is damaged: it should hold one --flag=value per line") from None


def read_config(name: str, config_classes: Mapping[str, type]) -> dict[str, str]:
    """Returns the flags of `configs/<name>.flags`.

    Args:
        name: the configuration's name.
        config_classes: value of `--model` -> the options of that model.

    Raises:
        UserError: there is no such configuration, or it is for another model.
    """
    found = {path.stem: read_flag_file(path) for path in sorted(CONFIGS.glob("*.flags"))}
    own = [other for other, flags in found.items() if flags.get("model") in config_classes]
    if name in own:
        return found[name]
    choice = f"choose one of {', '.join(own)}" if own else "this package has none"
    if name in found:
        model = found[name].get("model", "")
        hint = who_takes(model, "build")
        raise UserError(f"the configuration {name!r} is for the model {model!r}{hint}; {choice}")
    raise UserError(f"there is no configuration {name!r}; {choice}")


def read_run_flags(folder: Path, config_classes: Mapping[str, type]) -> dict[str, str]:
    """Returns the flags of a run, and warns of options that it lacks.

    Args:
        folder: the run's folder.
        config_classes: value of `--model` -> the options of that model.

    Raises:
        UserError: the folder has no `flags.txt`, or a damaged one, or one for another model.
    """
    path = folder / FLAGS_FILE
    if not path.is_file():
        raise UserError(f"{folder} is not a run's folder: it has no {FLAGS_FILE}")
    flags = read_flag_file(path)
    if "model" not in flags or not path.read_bytes().endswith(b"\n"):
        raise UserError(f"{path} is damaged: it is incomplete")
    model = flags["model"]
    if model not in config_classes:
        raise UserError(
            f"{path} is for the model {model!r}, not for {' or '.join(config_classes)}"
            f"{who_takes(model, 'load_run')}"
        )
    config_class = config_classes[model]
    declared = options_in(config_class)
    missing = [name for name, option in declared.items() if name not in flags and not option.later]
    if missing:
        names = ", ".join(f"--{name}" for name in missing)
        warnings.warn(f"{path} lacks {names}: using the defaults", stacklevel=3)
    return flags


def options_of(config_class: type[Options], flags: Mapping[str, str]) -> Options:
    """Makes a dataclass of options from the flags of the same names; other fields have their defaults.

    Args:
        config_class: its fields are numbers, strings, Booleans, and sequences of integers.
        flags: as text. Those that are not fields are ignored.

    Raises:
        UserError: a flag cannot be read.
    """
    types = typing.get_type_hints(config_class)
    names = [field.name for field in dataclasses.fields(config_class)]
    return config_class(**{name: _read(name, flags[name], types[name]) for name in names if name in flags})


def replaced(options: Options, values: Mapping[str, Any]) -> Options:
    """Returns a dataclass of options with some values replaced.

    Raises:
        UserError: there is no such option.
    """
    known = [field.name for field in dataclasses.fields(options)]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise UserError(f"{', '.join(unknown)}: no such option; choose from {', '.join(sorted(known))}")
    return dataclasses.replace(options, **values)


def _read(name: str, text: str, kind: Any) -> Any:
    try:
        if kind is bool:
            return {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}[text.lower()]
        if kind in (int, float, str):
            return kind(text)
        return tuple(int(item) for item in text.split(","))
    except (KeyError, ValueError):
        expected = {bool: "true or false", int: "an integer", float: "a number"}.get(kind, "integers")
        raise UserError(f"--{name}={text}: give {expected}") from None
