"""Why an answer is another one than the model's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Value = str | tuple[str, ...] | float
"""A class, several classes, a number, or a written text."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One change of an answer by a rule, or a flag that it raised.

    Args:
        rule: its name.
        before: the answer before it.
        after: the answer after it; the same for a flag.
        matched: the stretch of the text that made the rule hold; empty where no stretch did.
        because: what the author of the rule says.
        hard: whether the rule may never be broken.
        flag: whether a person should look, nothing being changed.
    """

    rule: str
    before: Value
    after: Value
    matched: str = ""
    because: str = ""
    hard: bool = False
    flag: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        before, after = (list(value) if isinstance(value, tuple) else value for value in (self.before, self.after))
        found = {"rule": self.rule, "before": before, "after": after, "matched": self.matched}
        return found | {"because": self.because, "hard": self.hard, "flag": self.flag}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What rules make of one answer.

    Args:
        answer: the final one.
        reasons: what changed it, in the order of precedence.
        held: rules whose condition held.
        beaten: those of them that could not have their way, as rules before them had.
        broken: hard rules whose condition held and which the final answer breaks.
    """

    answer: Value
    reasons: tuple[Reason, ...] = ()
    held: tuple[str, ...] = ()
    beaten: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
