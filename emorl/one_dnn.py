"""oneDNN's convolutions, which TensorFlow leaves off by default on processors without AVX-512."""

import os
import platform


def prefer_one_dnn() -> None:
    """Has TensorFlow use oneDNN on x86-64, if it is not imported yet and TF_ENABLE_ONEDNN_OPTS is not set."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
