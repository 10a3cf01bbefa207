"""Replicas of a model: which devices, how sums over the whole batch are formed, how batches are split."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from protocols import Seed, UserError
from training.gradient_clipping import Gradients

STRATEGIES = ("auto", "single", "mirrored")


@dataclass(frozen=True)
class Replicas:
    """Some replicas that share every batch in contiguous rows and hold equal variables.

    Attributes:
        strategy: the tf.distribute strategy; TensorFlow's default one where there is one replica.
    """

    strategy: tf.distribute.Strategy

    @property
    def n(self) -> int:
        """The number of replicas."""
        return self.strategy.num_replicas_in_sync

    def scope(self) -> AbstractContextManager:
        """Where the model has to be built, so that every replica gets its copy of the variables."""
        return self.strategy.scope()

    def check_batch_size(self, batch_size: int) -> None:
        """Raises UserError unless all replicas get equally many rows."""
        if batch_size % self.n:
            raise UserError(
                f"a batch of {batch_size} cannot be split over {self.n} replicas: "
                f"choose a --batch_size that is a multiple of {self.n}, or other --replicas"
            )

    def batch_sum(self, local_sum: tf.Tensor) -> tf.Tensor:
        """Sums a statistic over replicas, in replica context; its gradient is summed likewise."""
        if self.n == 1:
            return local_sum
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, local_sum)

    def gradient_sum(self, gradients: Gradients) -> Gradients:
        """Sums gradients over replicas, in replica context."""
        if self.n == 1:
            return gradients
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)

    def seed(self, key: tf.Tensor) -> Seed:
        """Makes the seed of the calling replica, in replica context."""
        if self.n == 1:
            return Seed(key)
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return Seed(key, tf.convert_to_tensor(replica, tf.int32), self.n)

    def iterate(self, dataset: tf.data.Dataset) -> Any:
        """Returns an iterator over global batches, each split into contiguous rows in replica order."""
        return iter(dataset if self.n == 1 else self.strategy.experimental_distribute_dataset(dataset))

    def assign(self, variables: Iterable[tf.Variable], values: Iterable[Any]) -> None:
        """Assigns per-replica values to every replica's copy, in cross-replica context."""
        for variable, value in zip(variables, values, strict=True):
            self.strategy.extended.update(variable, lambda copy, new: copy.assign(new), args=(value,))

    def first(self, value: Any) -> tf.Tensor:
        """Picks the first replica's tensor of a value that is equal on all."""
        return self.strategy.experimental_local_results(value)[0]


def make_replicas(strategy: str = "auto", replicas: int = 0) -> Replicas:
    """Makes the replicas that the flags `--strategy` and `--replicas` ask for.

    Where there are no GPUs, the CPU is split into as many logical devices; this has to come before anything
    else makes TensorFlow initialise its devices.

    Args:
        strategy: "single", "mirrored" (one process, several devices), or "auto": mirrored where `replicas` or
            the number of GPUs is above one.
        replicas: number of replicas; 0: one per GPU, or one.

    Raises:
        UserError: an unknown strategy, fewer GPUs than replicas, or devices that are initialised already.
    """
    if strategy not in STRATEGIES:
        raise UserError(f"--strategy={strategy} is unknown: choose from {', '.join(STRATEGIES)}")
    if replicas < 0:
        raise UserError(f"--replicas={replicas} is negative: give a number of replicas, or 0 for one per GPU")
    if strategy == "single":
        if replicas > 1:
            raise UserError(f"--strategy=single has one replica, not --replicas={replicas}: choose mirrored")
        return single_replica()
    n_gpus = len(tf.config.list_physical_devices("GPU"))
    n = replicas or max(n_gpus, 1)
    if n == 1:
        return single_replica()
    if n_gpus:
        if n > n_gpus:
            raise UserError(f"--replicas={n} is more than this machine's {n_gpus} GPUs: lower it")
        return Replicas(tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(n)]))
    _split_cpu(n)
    return Replicas(
        tf.distribute.MirroredStrategy(
            [f"CPU:{i}" for i in range(n)], cross_device_ops=tf.distribute.ReductionToOneDevice()
        )
    )


def single_replica() -> Replicas:
    """Returns the one replica that TensorFlow's default strategy has."""
    return Replicas(tf.distribute.get_strategy())


def _split_cpu(n):
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or ()) >= n:
        return
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * n)
    except RuntimeError:
        raise UserError(
            f"{n} replicas on the CPU have to be asked for before TensorFlow initialises its devices: "
            "call make_replicas first, or start a new process"
        ) from None
