"""Imports TensorFlow without its messages about drivers and instruction sets, whoever imports it first.

What imports it before this module is there, `import keras, emorl` say, is as loud as ever.
TF_CPP_MIN_LOG_LEVEL=0 shows everything.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterator

_NAME, _LEVEL, _SILENT = "tensorflow", "TF_CPP_MIN_LOG_LEVEL", "3"


def quiet_from_now_on() -> None:
    """Lets the first import of TensorFlow, which may be another library's, be a quiet one.

    What stops the import is raised as an exception all the same.
    """
    silent = os.environ.setdefault(_LEVEL, _SILENT) == _SILENT
    if silent and _NAME not in sys.modules and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def import_tensorflow() -> None:
    """Imports TensorFlow, quietly unless it is there already."""
    quiet_from_now_on()
    import tensorflow  # noqa: F401


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow once, as others would, and has it imported in silence."""

    def find_spec(self, name, path=None, target=None):
        if name != _NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_in_silence(module):
                with _silence():  # it writes some lines before it reads the level
                    execute(module)

            spec.loader.exec_module = execute_in_silence
        return spec


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drops what libraries write to standard error; exceptions pass."""
    standard_error, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)
