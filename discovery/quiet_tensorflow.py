"""Imports TensorFlow without its messages about drivers and instruction sets."""

from __future__ import annotations

import os
import sys


def import_tensorflow() -> None:
    """Imports TensorFlow once; afterwards its warnings and errors are shown as the environment says.

    What stops the import is raised as an exception; TF_CPP_MIN_LOG_LEVEL=0 shows everything.
    """
    if "tensorflow" in sys.modules:
        return
    quiet = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3"
    standard_error, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    if quiet:  # it writes some lines before it reads the level
        os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)
