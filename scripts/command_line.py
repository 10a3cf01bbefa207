"""What all scripts share: every mistake of the user's ends as one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

import tensorflow as tf
from absl import app, flags

from protocols import UserError

_INTERRUPTED = "interrupted; start the same command again to go on from the last snapshot"


def run(main: Callable[[list[str]], None]) -> NoReturn:
    """Parses flags and runs a script's `main`.

    Exit codes: 0; 1 for mistakes (`UserError`, wrong flags), told in one line on standard error; 130 after
    SIGINT or SIGTERM, with a line that tells how to go on.
    """

    def guarded(arguments):
        try:
            if len(arguments) > 1:
                raise UserError(f"{arguments[1]!r} is no flag: flags look like --name=value")
            main(arguments)
        except UserError as error:
            _exit(f"error: {_one_line(error)}", 1)
        except KeyboardInterrupt as error:
            _exit(_one_line(error) or _INTERRUPTED, 130)

    app.run(guarded, flags_parser=_parse)


def make_deterministic(wanted: bool) -> None:
    """Makes TensorFlow choose operations that give the same bits at every run; some are slower."""
    if wanted:
        tf.config.experimental.enable_op_determinism()


def _parse(arguments):
    try:
        return flags.FLAGS(arguments)
    except UnicodeDecodeError:
        _exit("error: a --flagfile is no text file", 1)
    except flags.Error as error:
        _exit(f"error: {_one_line(error)}", 1)


def _exit(line, code):
    print(line, file=sys.stderr)
    sys.exit(code)


def _one_line(error):
    return " ".join(str(error).split())
