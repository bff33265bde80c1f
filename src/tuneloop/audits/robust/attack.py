"""How often a search for small changes breaks right answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tuneloop.audits.base import Figure, Outcome, Subject, share
from tuneloop.data.perturbations.base import UnitPerturbation
from tuneloop.inference.attack import Attempt, attack
from tuneloop.inference.changed import right, text_of

EXAMPLES = 5


def measure_attack(
    subject: Subject,
    perturbations: Sequence[UnitPerturbation],
    *,
    rows: int,
    words_share: float,
    tell: Callable[[str], None],
) -> Outcome:
    """Figures `attack_success` and `attack_queries` over the rows that the model answers rightly, `rows` at most."""
    test = subject.test
    fine = right(subject.model.predict(test.inputs), test.labels)
    chosen = [row for row in range(len(test)) if fine[row]][:rows]
    if not chosen or not perturbations:
        return Outcome({})
    part = test.select(chosen)
    attempts = attack(
        subject.model, part.inputs, part.labels, perturbations=perturbations, words_share=words_share,
        random=lambda number: subject.random(f"attack {part.ids[number]}"), tell=tell,
    )  # fmt: skip
    broken = [(row, each) for row, each in zip(chosen, attempts, strict=True) if each.broken]
    queries = [each.queries for each in attempts]
    figures = {
        "attack_success": share(len(broken), len(attempts)),
        "attack_queries": Figure(float(np.median(queries)), n=len(queries)),
    }
    broken.sort(key=lambda pair: (len(pair[1].changes), pair[0]))
    return Outcome(figures, details={"attacks": [_told(subject, *pair) for pair in broken[:EXAMPLES]]})


def _told(subject: Subject, row: int, attempt: Attempt) -> dict[str, Any]:
    after = text_of(attempt.changed({}))
    assert attempt.broken is not None
    return {
        "row": subject.test.ids[row],
        "before": text_of(attempt.item),
        "after": after,
        "answer_before": subject.task.told(attempt.label, text_of(attempt.item)),
        "answer_after": subject.task.told(attempt.broken.label, after),
        "queries": attempt.queries,
    }
