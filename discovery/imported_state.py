"""What an import takes over from another program's checkpoint."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class ImportedState(NamedTuple):
    """The state of another program's training, laid out as the model here has it.

    Attributes:
        step: number of steps taken.
        weights: by path of the model's variable, all of them.
        slots: the optimiser's, by that program's name of the kind, then by path. A weight that its loss does
            not depend on may have none.
    """

    step: int
    weights: dict[str, np.ndarray]
    slots: dict[str, dict[str, np.ndarray]]
