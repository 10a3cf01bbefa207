"""One entry point per job: `python -m scripts.<job> --flag=value`.

Importing a script defines its flags and no more. What takes long to import, TensorFlow first of all, is
imported by the functions that use it, so that `--help` and mistakes in flags are answered at once.
"""

import os

# TensorFlow reports drivers that it misses and the like; what stops it comes as an exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
