"""What `--help` shows: a script's description, and its flags by topic, each with its default."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
import textwrap
from collections.abc import Sequence

from absl import flags

FLAGS = flags.FLAGS

#: Without their dashes, the flags that ask for a script's flags, and for those of libraries too.
HELP = ("h", "help", "helpshort")
FULL_HELP = ("helpfull", "helpxml")

#: (number of flags that were defined before, topic of the next ones).
_TOPICS: list[tuple[int, str]] = []
_COLUMN = 34  # where the text about a flag begins
_LEGEND = (
    "Each flag is shown with its default, `...` if it has none. --flag and --noflag are short for "
    "--flag=true and --flag=false; --flagfile=FILE reads flags from a file, one a line. --helpfull lists the "
    "flags of libraries too."
)


def topic(title: str) -> None:
    """Puts the flags that are defined from here on under a heading; the same title again continues it."""
    _TOPICS.append((len(FLAGS), title))


def own_flags() -> list[flags.Flag]:
    """Returns the flags that scripts define, in that order, and not those of libraries."""
    by_module = FLAGS.flags_by_module_dict()
    # absl names the running module by the command's first word.
    modules = [name for name in by_module if name.startswith(f"{__package__}.") or name == sys.argv[0]]
    own = {flag.name for module in modules for flag in by_module[module]}
    return [FLAGS[name] for name in FLAGS if name in own]


def asks_for_help(arguments: Sequence[str], names: Sequence[str] = (*HELP, *FULL_HELP)) -> bool:
    """Returns whether only to list the flags; arguments after `--` are for another program."""
    own = itertools.takewhile(lambda argument: argument != "--", arguments[1:])
    return any(argument.startswith("-") and argument.lstrip("-") in names for argument in own)


def help_text(arguments: Sequence[str]) -> str:
    """Returns what a script is for, and its flags with their defaults.

    Args:
        arguments: of the command; flags that they set are shown with that value too.
    """
    with contextlib.suppress(flags.Error):  # defaults are known where flags are missing or wrong, too
        FLAGS([argument for argument in arguments if not asks_for_help(["", argument])], known_only=True)
    width = max(60, min(110, shutil.get_terminal_size().columns))
    starts = [*(first for first, _ in _TOPICS), len(FLAGS)]
    names = list(FLAGS)
    own = {flag.name for flag in own_flags()}
    grouped: dict[str, list[str]] = {"Flags": [name for name in names[: starts[0]] if name in own]}
    for (first, title), end in zip(_TOPICS, starts[1:], strict=True):
        grouped.setdefault(title, []).extend(name for name in names[first:end] if name in own)
    about = (sys.modules["__main__"].__doc__ or "").strip()
    parts = [about, textwrap.fill(_LEGEND, width)]
    for title, of_topic in grouped.items():
        if of_topic:
            parts.append("\n".join([title, *(_lines(FLAGS[name], width) for name in of_topic)]))
    return "\n\n".join(filter(None, parts))


def value_text(flag: flags.Flag) -> str:
    """Returns a flag's value as the command line accepts it."""
    return str(flag.value).lower() if flag.boolean else flag.serialize().split("=", 1)[1]


def _lines(flag, width):
    notes = [flag.help]
    if any("other than None" in validator.message for validator in flag.validators):
        notes.append("(required)")
    if flag.present and flag.value != flag.default:
        notes.append(f"(this command: {value_text(flag)})")
    default = "..." if flag.default is None else flag.default_as_str.strip("'")
    head, indent = f"  --{flag.name}={default}", " " * _COLUMN
    about = textwrap.fill(
        " ".join(notes),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{head}\n{about}" if len(head) >= _COLUMN else head + about[len(head) :]
