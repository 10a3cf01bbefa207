"""SIGINT and SIGTERM: finish the step first."""

from __future__ import annotations

import signal
import threading


class Interruption:
    """Within `with Interruption() as interruption:` the first SIGINT or SIGTERM only sets `received`.

    A second one interrupts at once. Outside the main thread, which alone gets signals, nothing is changed.

    Attributes:
        received: name of the signal, or None.
    """

    def __init__(self):
        self.received: str | None = None
        self._previous = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_) -> None:
        self._restore()

    def _receive(self, number, frame):
        del frame
        self.received = signal.Signals(number).name
        self._restore()

    def _restore(self):
        while self._previous:
            signal.signal(*self._previous.popitem())
