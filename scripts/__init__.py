"""One entry point per job: `python -m scripts.<job> --flag=value`.

Importing a script defines its flags and no more. What takes long to import, TensorFlow above all, is imported
by the functions that use it, so that `--help` and mistakes in flags are answered at once.
"""

import os

# TensorFlow reports missing drivers and the like; what stops it is raised as an exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
