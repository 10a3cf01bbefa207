"""Which of the two packages a run belongs to."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import emorl
import stacked_capsules
from discovery.flag_files import FLAGS_FILE, read_flag_file

from .emorl_flags import MODELS as SCENE_MODELS


def package_of_run(folder: Path) -> ModuleType:
    """Returns `emorl` or `stacked_capsules`, whose `load_run` loads it or says what is wrong with it."""
    flags_file = folder / FLAGS_FILE
    of_scenes = flags_file.exists() and read_flag_file(flags_file).get("model") in SCENE_MODELS
    return emorl if of_scenes else stacked_capsules
