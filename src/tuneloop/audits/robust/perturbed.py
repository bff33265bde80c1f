"""Every row in every way perturbed, and the right answers that this changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.audits.base import Figure, Finding, Outcome, Subject, mean_figure, redrawn, share
from tuneloop.audits.robust.texts import beyond, sureness
from tuneloop.data.examples import Input
from tuneloop.inference.changed import answered, right, text_of, with_text

if TYPE_CHECKING:
    from tuneloop.data.perturbations.base import Perturbation
    from tuneloop.tasks.base import Prediction

EXAMPLES = 3
"""Broken answers of each kind that are shown, the surest first."""


@dataclass(frozen=True)
class Case:
    """A row, and what one perturbation made of it in each draw: only texts that it has changed."""

    row: int
    after: tuple[Input, ...]


@dataclass(frozen=True)
class Limits:
    """Shares of answers beyond which there is a finding."""

    broken: float
    unmoved: float


def cases_of(
    subject: Subject, perturbation: Perturbation, *, per_row: int, rows: Sequence[int] | None = None
) -> list[Case]:
    """The rows that a perturbation changes; each row draws by itself, so that no other row can move its draws."""
    found = []
    for row in range(len(subject.test)) if rows is None else rows:
        item = subject.test.inputs[row] if subject.test.pairs else subject.test.texts[row]
        text = text_of(item)
        if not perturbation.suits(text):
            continue
        draws = [
            perturbation.perturb(text, subject.random(f"{perturbation.name} {subject.test.ids[row]} {draw}"))
            for draw in range(per_row)
        ]
        after = tuple(with_text(item, new) for new in dict.fromkeys(draws) if new != text)
        if after:
            found.append(Case(row, after))
    return found


def measure(
    subject: Subject,
    perturbations: Sequence[Perturbation],
    *,
    per_row: int,
    limits: Limits,
    poles: Mapping[str, str],
    tell: Callable[[str], None],
) -> Outcome:
    """Figures `failures`, `failures.NAME`, `accuracy_drop` and `robust_accuracy`, and the kinds that break too much."""
    test = subject.test
    before = subject.model.predict(test.inputs)
    fine = right(before, test.labels)
    cases: dict[str, list[Case]] = {}
    for perturbation in perturbations:
        rows = _turning(subject, poles) if perturbation.effect == "turns" else None
        cases[perturbation.name] = cases_of(subject, perturbation, per_row=per_row, rows=rows)
    after: dict[Input, Prediction] = {}
    for perturbation in perturbations:
        tell(perturbation.title())
        changed = [item for case in cases[perturbation.name] for item in case.after]
        after |= answered(subject.model, changed)

    kept = {each.name for each in perturbations if each.effect == "keeps"}
    broken = {name: _broken(name, each, test.labels, before, after, kept) for name, each in cases.items()}
    asked = {name: [case.row for case in each if fine[case.row]] for name, each in cases.items()}
    figures, findings, worst = _rows_figures(subject, cases, fine, after, kept), [], []
    for name in cases:
        rows = [row for row in asked[name] if row in broken[name]]
        if not asked[name]:
            continue
        figures[f"failures.{name}"] = figure = share(len(rows), len(asked[name]))
        examples = _examples(name, rows, broken[name], subject, before)
        worst += examples
        limit = limits.broken if name in kept else limits.unmoved
        if beyond(len(rows), len(asked[name]), limit, looked_at=len(cases)):
            kind = "fragile" if name in kept else "ignores_negation"
            fields: dict[str, Any] = {"perturbation": name, "broken": len(rows), "n": len(asked[name])}
            fields |= {"share": figure.value, "low": figure.low, "limit": limit, "examples": examples}
            findings.append(Finding(kind, fields))
    findings.sort(key=lambda each: -each.fields["share"])
    details = {"worst": worst, "changed": {name: len(each) for name, each in cases.items()}}
    looked_for = {"fragile" if name in kept else "ignores_negation" for name, rows in asked.items() if rows}
    return Outcome(figures, tuple(findings), details, tuple(sorted(looked_for)))


def _turning(subject: Subject, poles: Mapping[str, str]) -> list[int]:
    """The rows of praise: negated it is none any more, while a blame that is negated is often still one."""
    return [row for row, label in enumerate(subject.test.labels) if label == poles.get("positive")]


def _broken(
    name: str,
    cases: Sequence[Case],
    labels: Sequence[Any],
    before: Sequence[Prediction],
    after: Mapping[Input, Prediction],
    kept: set[str],
) -> dict[int, tuple[Input, Prediction]]:
    """The surest wrong answer of each row that has one: another one than the label, or the old one if it must turn."""
    found: dict[int, tuple[Input, Prediction]] = {}
    for case in cases:
        wrong = [
            (item, after[item])
            for item in case.after
            if (after[item].label != labels[case.row] if name in kept else after[item].label == before[case.row].label)
        ]
        if wrong:
            found[case.row] = max(wrong, key=lambda each: sureness(each[1]))
    return found


def _rows_figures(
    subject: Subject,
    cases: Mapping[str, Sequence[Case]],
    fine: Sequence[bool],
    after: Mapping[Input, Prediction],
    kept: set[str],
) -> dict[str, Figure]:
    """Figures over all perturbations that keep the answer; an interval is over rows, which are what was drawn."""
    labels = subject.test.labels
    lost: dict[int, list[float]] = {}
    for case in (case for name, each in cases.items() if name in kept for case in each):
        wrong = [float(after[item].label != labels[case.row]) for item in case.after]
        lost.setdefault(case.row, []).append(sum(wrong) / len(wrong))
    if not lost:
        return {}
    figures = {}
    meant = {row: sum(each) / len(each) for row, each in lost.items()}
    failures = [value for row, value in meant.items() if fine[row]]
    if failures:
        drawn = redrawn(len(failures), subject.random("robustness failures"))
        figures["failures"] = mean_figure(np.asarray(failures, dtype=float), drawn)
    drops = [value - (not fine[row]) for row, value in meant.items()]
    drawn = redrawn(len(drops), subject.random("robustness drop"))
    figures["accuracy_drop"] = mean_figure(np.asarray(drops, dtype=float), drawn)
    figures["robust_accuracy"] = share(sum(fine[row] and not any(each) for row, each in lost.items()), len(lost))
    return figures


def _examples(
    name: str,
    rows: Sequence[int],
    broken: Mapping[int, tuple[Input, Prediction]],
    subject: Subject,
    before: Sequence[Prediction],
) -> list[dict[str, Any]]:
    surest = sorted(rows, key=lambda row: -sureness(broken[row][1]))[:EXAMPLES]
    task, inputs = subject.task, subject.test.inputs
    return [
        {
            "perturbation": name,
            "row": subject.test.ids[row],
            "before": text_of(inputs[row]),
            "after": text_of(broken[row][0]),
            "answer_before": task.told(before[row].label, text_of(inputs[row])),
            "answer_after": task.told(broken[row][1].label, text_of(broken[row][0])),
        }
        for row in surest
    ]
