"""What models, data and training agree on: how noise is drawn, how a batch is summed, what a model offers."""

from typing import TYPE_CHECKING

from discovery.errors import UserError
from discovery.lazy_names import lazy_names
from discovery.precision import check_precision, convolution_dtype

if TYPE_CHECKING:
    from discovery.data_source import DataSource, PureBatches, order_of_steps, rows_of_step
    from discovery.randomness import Seed
    from discovery.trainable_model import Batch, BatchSum, Metrics, TrainableModel, one_replica

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
        **dict.fromkeys(
            ("DataSource", "PureBatches", "order_of_steps", "rows_of_step"), "discovery.data_source"
        ),
        **dict.fromkeys(
            ("Batch", "BatchSum", "Metrics", "TrainableModel", "one_replica"), "discovery.trainable_model"
        ),
        "Seed": "discovery.randomness",
    },
)
