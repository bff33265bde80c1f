"""What should be done something about before training, and how grave it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.data.check import CheckReport

Severity = Literal["error", "warning", "note"]
GRAVITY: tuple[Severity, ...] = ("error", "warning", "note")

FEW_ROWS = 200
FEW_PER_CLASS = 10
IMBALANCE = 20
MANY_TOO_LONG = 0.05
MANY_SUSPECTS = 0.05
SMALL_TEST = 100
MANY_CLASSES_SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """One finding.

    Args:
        severity: error (training would make no sense), warning (the result suffers) or note.
        message: what is the matter, one sentence.
        hint: what to do about it.
    """

    severity: Severity
    message: str
    hint: str


def find_problems(report: CheckReport) -> list[Problem]:
    """The problems of a check, the gravest first."""
    found = [*_of_classes(report), *_of_size(report), *_of_texts(report), *_of_removals(report)]
    return sorted(found, key=lambda problem: GRAVITY.index(problem.severity))


def _of_classes(report: CheckReport) -> Iterator[Problem]:
    if not report.labels:
        return
    train = {name: counts["train"] for name, counts in report.labels.items()}
    alone = [name for name, counts in report.labels.items() if sum(counts.values()) < 2]
    if alone:
        yield Problem(
            "error",
            t("Only one row has the label {names}.", names=_listed(alone)),
            t("Collect more such rows, or merge the class into another."),
        )
    tiny = [name for name, count in train.items() if count < FEW_PER_CLASS and name not in alone]
    if tiny:
        yield Problem(
            "warning",
            t("Fewer than {limit} training rows have the label {names}.", limit=FEW_PER_CLASS, names=_listed(tiny)),
            t("Such classes are hardly learnt and cannot be measured: collect more rows or merge classes."),
        )
    unmeasured = [name for name, counts in report.labels.items() if not counts["test"] and name not in alone]
    if unmeasured:
        yield Problem(
            "warning",
            t("No test row has the label {names}.", names=_listed(unmeasured)),
            t("The report will say nothing of these classes: collect more rows or make the test split larger."),
        )
    largest, smallest = max(train.values()), min(train.values())
    if smallest and largest / smallest > IMBALANCE:
        yield Problem(
            "warning",
            t("The commonest class has {ratio:.0f} times the rows of the rarest.", ratio=largest / smallest),
            t("Look at macro-F1 rather than accuracy, and try class_weights: balanced."),
        )
    yield from _twins(list(report.labels))


def _twins(names: list[str]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield Problem(
                "warning",
                t("The labels {first!r} and {second!r} differ only in case.", first=other, second=name),
                t("Write them in one way, unless they mean different things."),
            )


def _of_size(report: CheckReport) -> Iterator[Problem]:
    if report.rows["train"] < FEW_ROWS:
        yield Problem(
            "note",
            t("There are only {rows} training rows.", rows=report.rows["train"]),
            t("Expect wide intervals; a few hundred rows per class change much."),
        )
    if report.rows["test"] < SMALL_TEST:
        yield Problem(
            "warning",
            t("There are only {rows} test rows.", rows=report.rows["test"]),
            t("Differences below ten points will drown in chance: make data.split.test larger."),
        )
    constant = [name for name, numbers in report.numbers.items() if numbers["low"] == numbers["high"]]
    if constant:
        yield Problem(
            "error",
            t("All labels of {splits} are the same number.", splits=", ".join(constant)),
            t("Check data.columns.label."),
        )


def _of_texts(report: CheckReport) -> Iterator[Problem]:
    if report.too_long is not None and report.too_long > MANY_TOO_LONG:
        yield Problem(
            "warning",
            t("{share:.0%} of the texts are longer than the model reads.", share=report.too_long),
            t("Raise model.max_tokens, or shorten the texts to what matters."),
        )
    if report.examined and report.suspect_rows > MANY_SUSPECTS * report.examined:
        yield Problem(
            "note",
            t("{share:.0%} of the labels look wrong to a cheap model.", share=report.suspect_rows / report.examined),
            t("Read the list of suspected label errors and correct the source where they are wrong."),
        )
    if report.personal:
        yield Problem(
            "warning",
            t(
                "Some texts seem to hold personal data ({rows} findings).",
                rows=sum(hint.rows for hint in report.personal),
            ),
            t("Make sure that you may use them; remove or mask what the task does not need."),
        )


def _of_removals(report: CheckReport) -> Iterator[Problem]:
    duplicates = report.snapshot["duplicates"]
    if duplicates["conflicts"]:
        yield Problem(
            "warning",
            t("{rows} rows were removed because the same text has different labels.", rows=duplicates["conflicts"]),
            t("See examples in the report; decide which label is right and correct the source."),
        )
    for split, rows in duplicates["leaks"].items():
        yield Problem(
            "note",
            t(
                "{rows} rows were removed from {split} because a later split has nearly the same text.",
                rows=rows,
                split=split,
            ),
            t("Nothing needs to be done: otherwise the test would be too easy."),
        )
    blank = report.snapshot["cleaning"].get("blank", 0)
    if blank:
        yield Problem(
            "note", t("{rows} rows with a blank text were left out.", rows=blank), t("Nothing needs to be done.")
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:MANY_CLASSES_SHOWN])
    more = len(names) - MANY_CLASSES_SHOWN
    return shown if more <= 0 else t("{shown} and {more} more", shown=shown, more=more)
