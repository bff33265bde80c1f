"""What is suggested to people who label."""

from __future__ import annotations

from dataclasses import dataclass

from tuneloop.data.examples import Input


@dataclass(frozen=True)
class Suggestion:
    """A text that is worth labelling.

    Args:
        row: its number in the pool.
        item: the text itself.
        score: how much the strategy wants it; the scale is the strategy's own.
        strategy: which one chose it.
        guess: what the model would answer, for whoever labels; None where there is no model.
    """

    row: int
    item: Input
    score: float
    strategy: str
    guess: str | None = None
