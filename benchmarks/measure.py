"""Taking turns: both sides meet the same noise of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.results import Sides

REPETITIONS = 3


def alternate(ours: Callable[[int], float], peer: Callable[[int], float], *, repetitions: int = REPETITIONS) -> Sides:
    """Both measured in turn, A B A B ...; each is called once before that, untimed, with number 0.

    Args:
        ours: measures us once; called with the number of the repetition, from 1.
        peer: measures the other side once.
    """
    ours(0), peer(0)
    sides = Sides([], [])
    for number in range(1, repetitions + 1):
        sides.ours.append(ours(number))
        sides.peer.append(peer(number))
        print(f"  {number}: ours {sides.ours[-1]:.4g}, peer {sides.peer[-1]:.4g}", flush=True)
    return sides


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
