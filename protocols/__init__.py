"""What models, data and training agree on: how noise is drawn, how a batch is summed, what a model offers."""

from typing import TYPE_CHECKING

from protocols.errors import UserError
from protocols.lazy_names import lazy_names
from protocols.precision import check_precision, convolution_dtype

if TYPE_CHECKING:
    from protocols.data import DataSource, PureBatches, order_of_steps, rows_of_step
    from protocols.model import Batch, BatchSum, Metrics, TrainableModel, one_replica
    from protocols.randomness import Seed

__all__ = [
    "Batch",
    "BatchSum",
    "DataSource",
    "Metrics",
    "PureBatches",
    "Seed",
    "TrainableModel",
    "UserError",
    "check_precision",
    "convolution_dtype",
    "one_replica",
    "order_of_steps",
    "rows_of_step",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("DataSource", "PureBatches", "order_of_steps", "rows_of_step"), "protocols.data"),
        **dict.fromkeys(("Batch", "BatchSum", "Metrics", "TrainableModel", "one_replica"), "protocols.model"),
        "Seed": "protocols.randomness",
    },
)
