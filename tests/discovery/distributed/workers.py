"""Processes of one training, on the loopback interface."""

import json
import os

from tests.discovery.distributed.test_rendezvous import free_addresses
from tests.scripts.processes import Ended, Processes


class Workers:
    """n processes that train together; the first is the chief."""

    def __init__(self, processes: Processes, n: int, module: str, flags_of):
        """Starts them; `flags_of` says which flags a worker has, by its index."""
        self._processes = processes
        cluster = {"worker": free_addresses(n)}
        self._started = []
        for index in range(n):
            config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
            flags = ("--strategy=multi_worker", *flags_of(index))
            self._started.append(processes.start(module, *flags, TF_CONFIG=config))

    def send(self, index: int, number: int) -> None:
        """Sends a signal to one."""
        os.kill(self._started[index][0], number)

    def wait(self, index: int) -> Ended:
        """Waits for one."""
        return self._processes.wait(self._started[index])

    def ended(self) -> list[Ended]:
        """Waits for all."""
        return [self.wait(index) for index in range(len(self._started))]
