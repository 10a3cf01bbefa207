"""Small copies of a run's pictures at a few steps, evenly spaced however long the run becomes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from PIL import Image

#: Within `plots`.
FOLDER = "over_time"
#: How many steps are kept for each picture, the first and the newest included.
N_STEPS = 6
#: Longest side of a copy, in pixels.
SIDE = 480
#: A picture that shows all steps already.
LEARNING_CURVES = "learning_curves"

_NAME = re.compile(r"(.+)-(\d+)\.png")


def keep_small_copy(plots: Path, name: str, step: int, picture: np.ndarray) -> None:
    """Keeps a small copy of a picture, and drops one where that makes too many.

    Args:
        plots: the run's folder of pictures.
        name: the picture's name.
        step: the step that it shows.
        picture: uint8 [H, W, 3].

    Raises:
        OSError: it cannot be written.
    """
    if name == LEARNING_CURVES:
        return
    folder = plots / FOLDER
    folder.mkdir(exist_ok=True)
    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    path = folder / f"{name}-{step}.png"
    unfinished = folder / f".{path.name}"
    try:
        image.save(unfinished, format="PNG")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    steps = copies(plots).get(name, {})
    for spare in surplus(list(steps)):
        steps[spare].unlink(missing_ok=True)


def copies(plots: Path) -> dict[str, dict[int, Path]]:
    """Returns the copies that are there: {name of the picture: {step: file}}, in order of steps."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted((plots / FOLDER).glob("*.png")):
        parts = _NAME.fullmatch(path.name)
        if parts and not path.name.startswith("."):
            found.setdefault(parts[1], {})[int(parts[2])] = path
    return {name: dict(sorted(of_name.items())) for name, of_name in found.items()}


def surplus(steps: list[int]) -> list[int]:
    """Returns which of increasing steps to drop, so that `N_STEPS` stay, as evenly spaced as possible."""
    kept, spare = list(steps), []
    while len(kept) > N_STEPS:
        i = min(range(1, len(kept) - 1), key=lambda i: kept[i + 1] - kept[i - 1])
        spare.append(kept.pop(i))
    return spare


def forget_after(plots: Path, step: int) -> None:
    """Deletes copies of later steps, which a resumed run takes again."""
    for of_name in copies(plots).values():
        for at, path in of_name.items():
            if at > step:
                path.unlink(missing_ok=True)
