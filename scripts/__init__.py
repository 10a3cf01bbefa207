"""One entry point per job: `python -m scripts.<job> --flag=value`."""

import os

# TensorFlow reports drivers that it misses and the like; what stops it comes as an exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _import_tensorflow() -> None:
    """Imports it without what it writes on standard error before it looks at the log level."""
    standard_error, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)
    tf.get_logger().setLevel("WARNING")


_import_tensorflow()
