"""The wishes of any worker, made known to all of them at the same step."""

from __future__ import annotations

import tensorflow as tf

from discovery.distributed.replicas import Replicas


class Agreement:
    """Called by all workers after the same steps, so that they stop or save at the same step.

    With several workers an answer reports the wishes of the previous call, so that nobody waits for the step
    that the device has just begun.
    """

    def __init__(self, replicas: Replicas):
        self._replicas = replicas
        self._asked: tf.Tensor | None = None  # float32 [n_wishes], the number of replicas that wish each
        self._granted: list[bool] = []

    def __call__(self, *wishes: bool) -> list[bool]:
        """Returns which of the wishes any worker has; a granted wish is not granted again at once."""
        if self._replicas.n_workers == 1:
            return list(wishes)
        asked, self._asked = self._asked, self._sum(tf.constant(wishes, tf.float32))
        if asked is None:
            self._granted = [False] * len(wishes)
        else:
            pairs = zip(asked.numpy() > 0, self._granted, strict=True)
            self._granted = [bool(wish and not before) for wish, before in pairs]
        return self._granted

    def wait_for_all(self) -> None:
        """Returns once all workers have called it."""
        if self._replicas.n_workers > 1:
            self._sum(tf.zeros([1])).numpy()

    @tf.function(autograph=False, reduce_retracing=True)
    def _sum(self, values):
        replicas = self._replicas
        # What is summed must be on the replica's device, which an argument is not.
        return replicas.first(replicas.strategy.run(lambda: replicas.batch_sum(tf.identity(values))))
