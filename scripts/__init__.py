"""One entry point per job: `python -m scripts.<job> --flag=value`."""

import os

# TensorFlow reports drivers that it misses and the like; what stops it comes as an exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
