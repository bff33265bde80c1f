"""Forks victims, kills them at random moments, and counts what state each kill left behind."""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

Report = Callable[[str], None]

LONGEST = 1.6
"""Kills come between no time and so many times as long as the work takes undisturbed: some after its end."""

MEASURE_EVERY = 25
"""Kills after which it is measured again how long the work takes: a machine may have become busy."""

AIM_EVERY = 4
"""Of so many kills one is not left to chance: it comes when a state is there that lasts for a moment only."""

PATIENCE_S = 120.0
"""Longer than any work takes; only a victim that hangs on what a killed one left behind waits so long."""


class Broken(AssertionError):
    """A promise was not kept."""


class Victim(ABC):
    """Work that is killed, and what must hold after it.

    Args:
        folder: its own, to work in.
    """

    name: ClassVar[str]
    states: ClassVar[tuple[str, ...]]
    """What a full run must have hit, each at least once."""

    processes: ClassVar[int] = 1
    """How many work side by side; the last is killed, the others must finish."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.round = 0

    def prepare(self) -> None:
        """Make ready for the next round; in the parent, which must not start threads or keep a database open."""

    @abstractmethod
    def work(self, report: Report, number: int) -> None:
        """What one process does. What it reports has been acknowledged by tuneloop.

        Args:
            number: of the process, from 0.
        """

    @abstractmethod
    def check(self, told: Sequence[str]) -> str:
        """The state that the round has left behind.

        Args:
            told: what all processes reported.

        Raises:
            Broken: if a promise was not kept.
        """

    def fleeting(self, told: Path) -> bool:
        """Whether a state is there that kills at random moments hardly ever meet.

        Args:
            told: the file of what the process reports that is to be killed; it may not be there yet.
        """
        return False

    def killed(self) -> None:
        """The last process is dead, or has ended; others may be told so."""

    def finish(self) -> None:
        """What must hold at the end of all rounds.

        Raises:
            Broken: if it does not.
        """


@dataclass
class Tally:
    """What the kills of one victim have done.

    Args:
        kills: processes that died of the signal.
        undisturbed: rounds without one, by which it is measured how long the work takes.
        states: how often a kill left each state behind.
        broken: promises that were not kept, in words.
    """

    kills: int = 0
    undisturbed: int = 0
    states: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def missing(self, victim: Victim) -> list[str]:
        """States that were never hit although they must be."""
        return [state for state in victim.states if not self.states[state]]


def torture(victim: Victim, kills: int, chance: random.Random, *, each: Callable[[], None] = lambda: None) -> Tally:
    """Kill a victim so often; a broken promise is noted and the next round begins.

    Args:
        each: called after every kill.
    """
    tally, usual_s = Tally(), 0.0
    for number in range(kills):
        if number % MEASURE_EVERY == 0:
            usual_s = _round(victim, None, tally)
        _round(victim, chance.uniform(0, LONGEST * usual_s), tally)
        each()
    with noted(tally, "end"):
        victim.finish()
    return tally


def _round(victim: Victim, delay_s: float | None, tally: Tally) -> float:
    """Let a victim work and kill its last process after a delay, or nobody; then look at what is left.

    Returns:
        How long that process lived, in seconds.
    """
    victim.round += 1
    victim.prepare()
    files = [victim.folder / f"told-{number}" for number in range(victim.processes)]
    for file in files:
        file.unlink(missing_ok=True)
    others = [spawn(partial(victim.work, number=n), file) for n, file in enumerate(files[:-1])]
    began_s = time.monotonic()
    child = spawn(partial(victim.work, number=len(others)), files[-1], linger=delay_s is not None)
    aimed = partial(victim.fleeting, files[-1]) if delay_s is not None and victim.round % AIM_EVERY == 0 else None
    killed = end_after(child, PATIENCE_S if delay_s is None else delay_s, due=aimed)
    lived_s = time.monotonic() - began_s
    victim.killed()
    failed = [wait(other) for other in others]
    told = [line for file in files if file.exists() for line in file.read_text(encoding="utf-8").splitlines()]
    with noted(tally, f"round {victim.round}"):
        if any(failed) or killed is not (delay_s is not None):
            raise Broken("a process failed: " + " ".join(line for line in told if line.startswith("!")))
        state = victim.check(told)
        tally.kills += bool(killed)
        tally.undisturbed += not killed
        tally.states.update([state] if killed else [])
    return lived_s


@contextmanager
def noted(tally: Tally, when: str) -> Iterator[None]:
    """Inside the block a broken promise is noted, and the torture goes on."""
    try:
        yield
    except Exception as error:  # whatever it is, what lies on the disk could not be read as promised
        place = traceback.extract_tb(error.__traceback__)[-1]
        tally.broken.append(f"{when}: {type(error).__name__} {error} ({Path(place.filename).name}:{place.lineno})")


def spawn(work: Callable[[Report], None], told: Path, *, linger: bool = False) -> int:
    """A process that works and reports lines to a file, which outlive it; its number.

    The parent must have one thread: of a forked process only that one goes on.

    Args:
        linger: whether it waits to be killed when its work is done.
    """
    assert len(threads := _threads()) <= 1, f"threads before a fork: {threads}"
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        out = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            work(lambda line: (os.write(out, f"{line}\n".encode()), None)[1])
            code = 0
            while linger:
                signal.pause()
        except BaseException as error:
            os.write(out, f"! {type(error).__name__} {error}\n".replace("\n", " ").encode() + b"\n")
            if os.environ.get("TORTURE_DEBUG"):
                traceback.print_exc()
    finally:
        os._exit(code)


def _threads() -> list[str]:
    """Names of this process's threads, where they can be told; that of a memory allocator is ready for a fork."""
    names = (path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))
    return [name for name in names if not name.startswith("jemalloc")]


def end_after(child: int, delay_s: float, *, due: Callable[[], bool] | None = None) -> bool | None:
    """Kill a process after a delay; whether it died of it, None if it had failed before.

    Args:
        due: asked all the time: once it says so, the delay is over.
    """
    until_s = time.monotonic() + delay_s
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return False if os.waitstatus_to_exitcode(status) == 0 else None
        left_s = until_s - time.monotonic()
        if left_s <= 0 or (due and due()):
            break
        if not due:
            time.sleep(min(left_s, 0.001))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def wait(child: int) -> bool:
    """Wait for a process that nobody kills; whether it failed or hung."""
    return end_after(child, PATIENCE_S) is not False


def undisturbed(work: Callable[[Report], None], told: Path) -> list[str]:
    """Do something in a process of its own; what it reported.

    Raises:
        Broken: if it failed.
    """
    told.unlink(missing_ok=True)
    failed = wait(spawn(work, told))
    lines = told.read_text(encoding="utf-8").splitlines()
    if failed:
        raise Broken("; ".join(line for line in lines if line.startswith("!")) or "a process failed")
    return lines
