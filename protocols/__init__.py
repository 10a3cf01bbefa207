"""What models, data and training agree on: how noise is drawn, how a batch is summed, what a model offers."""

from protocols.data import DataSource, PureBatches, order_of_steps, rows_of_step
from protocols.errors import UserError
from protocols.model import Batch, BatchSum, Metrics, TrainableModel, one_replica
from protocols.precision import check_precision, convolution_dtype
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
