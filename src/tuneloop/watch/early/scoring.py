"""How soon planted bursts are found, and how often one is told of that was not planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuneloop.watch.early.rules import Warned


@dataclass(frozen=True)
class Planted:
    """A burst that is known of.

    Args:
        name: of the early warning that should tell it.
        start: seconds since 1970.
        end: seconds since 1970.
    """

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Score:
    """What came of a stream.

    Args:
        delays_s: from the start of each planted burst to its first alarm; None where there was none before its end.
        false: alarms that no planted burst explains.
    """

    delays_s: tuple[float | None, ...]
    false: int


def score(found: Sequence[Warned], planted: Sequence[Planted], *, late_s: float) -> Score:
    """Compare what was found with what was planted.

    Args:
        late_s: an alarm so long after the end of its burst is late, not false.
    """

    def fits(alarm: Warned, burst: Planted, end: float) -> bool:
        return alarm.name == burst.name and burst.start < alarm.at <= end

    delays = (
        min((alarm.at - burst.start for alarm in found if fits(alarm, burst, burst.end)), default=None)
        for burst in planted
    )
    false = sum(not any(fits(alarm, burst, burst.end + late_s) for burst in planted) for alarm in found)
    return Score(tuple(delays), false)
