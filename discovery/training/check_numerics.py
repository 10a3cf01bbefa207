"""`--check_numerics`: stops at the very operation that makes a NaN or an infinity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from discovery import UserError


@contextmanager
def checked_numerics(enabled: bool) -> Iterator[None]:
    """Checks operations that are traced within it when they run (not those that XLA compiles).

    Raises:
        UserError: an operation made a NaN or an infinity; it names the operation and its line.
    """
    if not enabled:
        yield
        return
    tf.debugging.enable_check_numerics()
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        operation = re.search(r'Detected Infinity or NaN in output \d+ of .*?op "(\w+)"', error.message)
        if not operation:
            raise
        lines = re.findall(r'File "([^"]+)", line (\d+), in (\S+)', error.message.partition("!!!")[0])
        where = " at {}:{} ({})".format(*lines[-1]) if lines else ""
        raise UserError(
            f"the operation {operation[1]}{where} made a NaN or an infinity; earlier snapshots stay; "
            "check that the data are finite, and try a smaller --lr"
        ) from None
    finally:
        tf.debugging.disable_check_numerics()
