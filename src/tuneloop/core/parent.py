"""A process that must not outlive the one that started it."""

from __future__ import annotations

import os
import signal
import threading
import time

WATCH_S = 1.0
"""How often it looks whether that one is still there."""


def end_with(parent: int) -> None:
    """Stop this process, as Ctrl-C would, when the one that started it is gone, even by kill -9."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
