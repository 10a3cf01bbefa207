"""Replicas of a model: their devices, sums over the whole batch, and how batches are split."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from discovery import Seed, UserError
from discovery.distributed.cluster import find_cluster
from discovery.distributed.rendezvous import join

STRATEGIES = ("auto", "single", "mirrored", "multi_worker")


@dataclass(frozen=True)
class Replicas:
    """A set of replicas that share every batch in contiguous rows and hold equal variables.

    Attributes:
        strategy: the tf.distribute strategy; TensorFlow's default one where there is one replica.
        n_workers: number of processes; each has n / n_workers of the replicas.
        worker: index of this process; worker 0 is the chief.
    """

    strategy: tf.distribute.Strategy
    n_workers: int = 1
    worker: int = 0

    @property
    def n(self) -> int:
        """The number of replicas over all workers."""
        return self.strategy.num_replicas_in_sync

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes the run's folder."""
        return self.worker == 0

    def scope(self) -> AbstractContextManager:
        """The scope in which to build the model, so that every replica gets its copy of the variables."""
        return self.strategy.scope()

    def check_batch_size(self, batch_size: int) -> None:
        """Raises a UserError unless all replicas get the same number of rows."""
        if batch_size % self.n:
            raise UserError(
                f"a batch of {batch_size} cannot be split over {self.n} replicas: "
                f"choose a --batch_size that is a multiple of {self.n}, or another number of replicas"
            )

    def batch_sum(self, local_sum: tf.Tensor) -> tf.Tensor:
        """Sums a statistic over replicas, in replica context; its gradient is summed likewise."""
        if self.n == 1:
            return local_sum
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, local_sum)

    def gradient_sum(self, gradients: list[tf.Tensor | None]) -> list[tf.Tensor | None]:
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
        """Returns an iterator over global batches, each split into contiguous rows in replica order.

        With several workers the dataset must be endless; each worker keeps its own replicas' rows.
        """
        options = tf.data.Options()
        options.autotune.enabled = False  # an iterator's end may wait seconds for its thread
        dataset = dataset.with_options(options)
        if self.n == 1:
            return iter(dataset)
        if self.n_workers == 1:
            return iter(self.strategy.experimental_distribute_dataset(dataset))
        n_rows = next(iter(dataset.element_spec.values())).shape[0]
        own = slice(self.worker * n_rows // self.n_workers, (self.worker + 1) * n_rows // self.n_workers)
        rows = dataset.map(lambda batch: {name: tensor[own] for name, tensor in batch.items()})
        rows = rows.rebatch(n_rows // self.n, drop_remainder=True)
        # With a finite dataset, all workers would ask each other at every step whether it has ended.
        rows = rows.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        return iter(self.strategy.distribute_datasets_from_function(lambda _: rows))

    def share(self, variables: Iterable[tf.Variable]) -> None:
        """Gives variables the chief's values on all workers, which need not see the same files."""
        if self.n_workers == 1:
            return
        for variable in variables:
            with self.scope():  # a variable that is made there starts with the chief's value everywhere
                of_chief = tf.Variable(variable.numpy(), trainable=False)
            variable.assign(of_chief.numpy())

    def assign(self, variables: Iterable[tf.Variable], values: Iterable[Any]) -> None:
        """Assigns per-replica values to every replica's copy, in cross-replica context."""
        for variable, value in zip(variables, values, strict=True):
            self.strategy.extended.update(variable, lambda copy, new: copy.assign(new), args=(value,))

    def first(self, value: Any) -> tf.Tensor:
        """Picks the first replica's tensor of a value that is equal on all."""
        return self.strategy.experimental_local_results(value)[0]


def make_replicas(
    strategy: str = "auto",
    replicas: int = 0,
    *,
    facts: Mapping[str, str] | None = None,
    join_secs: float = 600.0,
    log: Callable[[str], None] = lambda line: print(line, flush=True),
) -> Replicas:
    """Makes the replicas that the flags `--strategy` and `--replicas` ask for.

    Where there are no GPUs, the CPU is split into as many logical devices. Call this before anything else
    makes TensorFlow initialize its devices.

    Args:
        strategy: "single", "mirrored" (one process, several devices), "multi_worker" (one process for each
            worker of the cluster in TF_CONFIG or SLURM's variables, with all its GPUs), or "auto":
            multi_worker where TF_CONFIG is set, else mirrored where `replicas` or the number of GPUs is above
            one.
        replicas: number of replicas; 0: one per GPU, or one; with several workers, at least one on each.
        facts: with several workers: what must be the same in all of them, by name.
        join_secs: with several workers: how long to wait for the others.
        log: receives a line where others are waited for.

    Raises:
        UserError: an unknown strategy, fewer GPUs than replicas, devices that are initialized already, no
            cluster, or workers that do not come or are not started alike.
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
    if strategy == "multi_worker" or (strategy == "auto" and os.environ.get("TF_CONFIG")):
        cluster = find_cluster()
        if len(cluster.addresses) > 1:
            n = len(cluster.addresses) * max(n_gpus, 1)
            if replicas not in (0, n):
                raise UserError(
                    f"--replicas={replicas}: {len(cluster.addresses)} workers like this one have {n} in all; "
                    "leave it out"
                )
            strategy = join(cluster, n_gpus, facts or {}, join_secs, log)
            return Replicas(strategy, len(cluster.addresses), cluster.index)
    n = replicas or max(n_gpus, 1)
    if strategy == "mirrored" and not n_gpus:
        log(f"warning: --strategy=mirrored: there is no GPU; {_replicas_of_cpu(n)} on the CPU")
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
    """Returns the single replica of TensorFlow's default strategy."""
    return Replicas(tf.distribute.get_strategy())


def _replicas_of_cpu(n):
    return "one replica" if n == 1 else f"{n} replicas"


def _split_cpu(n):
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or ()) >= n:
        return
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * n)
    except RuntimeError:
        raise UserError(
            f"{n} replicas on the CPU have to be requested before TensorFlow initializes its devices: "
            "call make_replicas first, or start a new process"
        ) from None
