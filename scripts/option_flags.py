"""Flags of options: each field of a dataclass is declared once, which makes it a flag."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Sequence
from typing import Any

from absl import flags

from discovery import UserError
from discovery.options import options_in

from .help_text import topic
from .path_flags import define_path, whole

FLAGS = flags.FLAGS


def define_flags(config_class: type, leave_out: Collection[str] = ()) -> None:
    """Defines the flags of a dataclass of options, except those that are defined already.

    Args:
        config_class: its fields are declared by `discovery.options.option`.
        leave_out: names of fields that are not flags here.
    """
    types = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        declared = options_in(config_class)[field.name]
        if declared.topic is not None:
            topic(declared.topic)
        if declared.flag and field.name not in FLAGS and field.name not in leave_out:
            _define(field, types[field.name], declared)


def define_flag(config_class: type, name: str) -> None:
    """Defines the flag of one option that `define_flags` passes over, for the scripts that have it."""
    [field] = [field for field in dataclasses.fields(config_class) if field.name == name]
    _define(field, typing.get_type_hints(config_class)[name], options_in(config_class)[name])


def read_flags(config_class: type, **given: Any) -> Any:
    """Returns the options that the flags give; those without a flag have their defaults.

    Args:
        config_class: as above.
        **given: values that override the flags'.

    Raises:
        UserError: a flag cannot be read, is not among the choices, or is out of range.
    """
    values = {}
    for field in dataclasses.fields(config_class):
        if field.name in given or field.name not in FLAGS or FLAGS[field.name].value is None:
            continue
        values[field.name] = _value(field, options_in(config_class)[field.name])
    return config_class(**values, **given)


def _define(field, kind, declared):
    about = declared.help
    if declared.choices:
        about = f"{about} One of {', '.join(declared.choices)}."
    kinds = set(typing.get_args(kind)) or {kind}
    if declared.read is not None:
        flags.DEFINE_string(field.name, declared.text, about)
    elif declared.path:
        define_path(field.name, field.default, about, whole)
    elif bool in kinds:
        flags.DEFINE_boolean(field.name, field.default, about)
    elif isinstance(field.default, tuple):
        flags.DEFINE_list(field.name, [str(item) for item in field.default], about)
    elif int in kinds:
        flags.DEFINE_integer(field.name, field.default, about)
    elif float in kinds:
        flags.DEFINE_float(field.name, field.default, about)
    else:
        flags.DEFINE_string(field.name, field.default, about)


def _value(field, declared):
    value = FLAGS[field.name].value
    if declared.read is not None:
        return declared.read(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if isinstance(field.default[0], str):
            return tuple(value)
        try:
            return tuple(int(item) for item in value)
        except ValueError:
            example = ",".join(str(item) for item in field.default)
            raise UserError(f"--{field.name}={','.join(value)}: give integers, {example} say") from None
    return value
