"""What all scripts share: every user's mistake ends as one line and an exit code."""

from __future__ import annotations

import functools
import gc
import math
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from absl import app, flags

from discovery import UserError
from discovery.flag_files import CONFIGS
from discovery.quiet_tensorflow import import_tensorflow

from .help_text import FULL_HELP, HELP, asks_for_help, help_text
from .path_flags import complete_paths

if TYPE_CHECKING:
    import tensorflow as tf

#: What absl says about a flag -> what is meant.
_PLAIN = {
    r"^ERROR:: Unable to open flagfile: .*?'(.*)'$": r"--flagfile=\1: there is no such file",
    r"invalid literal for int\(\) with base 10: .*$": "give a whole number",
    r"could not convert string to float: .*$": "give a number",
    r"Non-boolean argument to boolean flag.*$": "give true or false",
}
_INTERRUPTED = "interrupted; start the same command again to resume from the last snapshot"
#: What TensorFlow makes of a UserError that the Python code of a data pipeline raised.
_WRAPPED = re.compile(r"\bUserError: (.*?)\nTraceback", re.DOTALL)
#: What it makes of a check that the pipeline itself makes.
_ASSERTED = re.compile(r"assertion failed: \[(.*?)\](?:\s|$)", re.DOTALL)
#: Lines that say where in a program an error arose, and not what it is.
_WHERE = re.compile(r"\s*(Graph execution error:|Detected at node .*|File \".*|\[\[.*)?$")


def run(
    main: Callable[[list[str]], None],
    define: Callable[[list[str]], None] | None = None,
    takes_arguments: bool = False,
    check: Callable[[], None] | None = None,
) -> NoReturn:
    """Parses flags and runs a script's `main`, or shows its flags.

    `define` receives the arguments first, and defines flags that depend on them. Arguments that are not flags
    are mistakes, unless the script `takes_arguments`. `check` finds mistakes in flags before TensorFlow is
    imported.

    Exit codes: 0; 1 for mistakes (`UserError`, wrong flags), reported in one line on standard error, and for
    defects, reported with a traceback; 130 after SIGINT or SIGTERM, with a line that says how to resume.
    """

    def guarded(arguments):
        message, code = _outcome(main, arguments, takes_arguments, check)
        # A data pipeline that calls Python must end before the interpreter does, which would wait forever.
        gc.collect()
        if code:
            _exit(message, code)

    app.run(guarded, flags_parser=functools.partial(_parse, define))


def data_mistake(error: tf.errors.OpError) -> str | None:
    """Returns the message for an error raised by reading data; None where it stems from elsewhere."""
    wrapped = _WRAPPED.search(error.message)
    if wrapped:
        return wrapped[1]
    if "IteratorGetNext" not in error.message:
        return None
    asserted = _ASSERTED.search(error.message)
    if asserted:
        return asserted[1]
    if isinstance(error, _unreadable()):
        causes = [line for line in error.message.split("\n") if not _WHERE.match(line)]
        cause = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", causes[0])
        return f"the data cannot be read: {cause.strip()}; check that the files exist and are complete"
    return None


def make_deterministic(wanted: bool) -> None:
    """Makes TensorFlow choose operations that give the same bits in every run; some are slower."""
    if wanted:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _outcome(main, arguments, takes_arguments, check):
    """Runs `main`; returns what to print and the exit code, and lets go of the exception and its frames."""
    try:
        if len(arguments) > 1 and not takes_arguments:
            raise UserError(f"{arguments[1]!r} is not a flag: expected --name=value")
        if check is not None:
            check()
        import_tensorflow()
        _quiet_logger()
        main(arguments)
    except UserError as error:
        return f"error: {_one_line(error)}", 1
    except KeyboardInterrupt as error:
        return _one_line(error) or _INTERRUPTED, 130
    except Exception as error:
        mistake = _mistake_in(error)
        return (traceback.format_exc() if mistake is None else f"error: {_one_line(mistake)}"), 1
    return "", 0


def _quiet_logger():
    import tensorflow as tf

    tf.get_logger().setLevel("WARNING")  # silences which devices a strategy has


def _mistake_in(error):
    import tensorflow as tf

    from discovery.distributed.cluster import lost_worker

    return lost_worker(error) or data_mistake(error) if isinstance(error, tf.errors.OpError) else None


def _unreadable():
    import tensorflow as tf

    return tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.PermissionDeniedError


def _parse(define, arguments):
    arguments = [_packaged(argument) for argument in arguments]
    try:
        if define is not None:
            define(arguments)
        if asks_for_help(arguments, HELP):
            _print_help(arguments)
            sys.exit(0)
        if asks_for_help(arguments, FULL_HELP):  # absl lists everything: TensorFlow has flags too
            import_tensorflow()
        rest = flags.FLAGS(arguments)
        for name in flags.FLAGS:
            value = flags.FLAGS[name].value
            if isinstance(value, float) and not math.isfinite(value):
                _exit(f"error: flag --{name}={value}: give a finite number", 1)
        complete_paths()
        return rest
    except UnicodeDecodeError:
        _exit("error: a --flagfile is not a text file", 1)
    except (flags.Error, UserError) as error:
        _exit(f"error: {_in_plain_words(_one_line(error))}", 1)


def _in_plain_words(message):
    """Rewords what Python says where absl passes it on."""
    for pattern, words in _PLAIN.items():
        message = re.sub(pattern, words, message)
    return message


def _print_help(arguments):
    try:
        print(help_text(arguments), flush=True)
    except BrokenPipeError:  # `--help | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _packaged(argument):
    """Lets --flagfile=configs/NAME.flags mean the installed file where the current folder has none."""
    found = re.fullmatch(r"(--?flagfile)=((?:configs/)?(\w+\.flags))", argument)
    if found and not Path(found[2]).exists() and (CONFIGS / found[3]).exists():
        return f"{found[1]}={CONFIGS / found[3]}"
    return argument


def _exit(line, code):
    print(line, file=sys.stderr)
    sys.exit(code)


def _one_line(error):
    return " ".join(str(error).split())
