"""Data as the training loop and evaluation see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class DataSource(NamedTuple):
    """Batches as pure functions of the step, so that a resumed run reads what an unbroken one would.

    Each element is a dict of tensors whose first axis is the global batch.

    Attributes:
        train: start_step -> endless dataset; its first element is the training batch of that step.
        valid: start -> endless dataset of validation batches from the start-th on, for reports.
        whole: "train" or "valid" -> that set once, in order; the last batch may be smaller.
    """

    train: Callable[[int], tf.data.Dataset]
    valid: Callable[[int], tf.data.Dataset]
    whole: Callable[[str], tf.data.Dataset]
