"""Ctrl-C while training: the step is finished, the place is kept, and only then everything stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tuneloop.core.errors import TrainingError


class InterruptedTrainingError(TrainingError):
    """Training was stopped from outside; its checkpoint is complete and it can be resumed."""

    exit_code = 130


@contextmanager
def held_interrupts() -> Iterator[Callable[[], bool]]:
    """Inside the block the first SIGINT or SIGTERM is only noted: the function given tells whether one came.

    The second one is a KeyboardInterrupt at once. Only the main thread receives signals; in any
    other thread nothing is held.
    """
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
