"""A thread that works off what others hand it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod


class Worker(ABC):
    """One thread; closing it finishes what was handed to it.

    `_changed` guards what is shared with the thread, and wakes it; `_closing` is set once nothing more may be added.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """Finish what was accepted, then end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    @abstractmethod
    def _work(self) -> None:
        """What the thread does, until `_closing` is set and nothing is left."""
