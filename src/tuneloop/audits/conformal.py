"""Sets of classes that hold the right one as often as promised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tuneloop.abstaining.conformal import LabelSets, calibrate, chance_of_so_few, covered, rows_needed
from tuneloop.abstaining.settings import suits
from tuneloop.audits.base import (
    Audit,
    AuditOptions,
    Better,
    Finding,
    Outcome,
    Severity,
    Subject,
    Tell,
    figure_name,
    mean_figure,
    redrawn,
    share,
)
from tuneloop.core.i18n import t
from tuneloop.core.page import paragraph, table

if TYPE_CHECKING:
    from markupsafe import Markup

    from tuneloop.abstaining.abstainer import Abstainer

RISK = 0.001
"""The chance of an alarm where the promise is kept: of a thousand audits of clean models one may raise it."""


class ConformalOptions(AuditOptions):
    """What is promised."""

    coverage: float = Field(0.9, gt=0, lt=1, description="How often the set of classes must hold the right one.")


class Conformal(Audit):
    """Does the set of plausible classes hold the right one as often as promised, and how large is it?

    The sets are those of the release, where it has any, or calibrated here on dev, which also chose the model's weights
    and its temperature. They are measured on test, which chose nothing: if that choice has made dev too easy, it shows.
    """

    name: ClassVar[str] = "conformal"
    reads_texts = False
    Options = ConformalOptions
    figures: ClassVar[Mapping[str, Better]] = {"coverage": "higher", "set_size": "lower", "single": "higher"}
    findings: ClassVar[Mapping[str, Severity]] = {"undercoverage": "alarm", "uncovered_class": "note"}
    options: ConformalOptions

    def refuses(self, subject: Subject) -> str:
        """Why there is nothing to say."""
        if not suits(subject.task):
            return t("it is for tasks whose answer is one class.")
        if not len(subject.test):
            return t("there are no test rows.")
        needed = rows_needed(self.options.coverage)
        if _shipped(subject) is None and len(subject.dev) < needed:
            return t("dev has {rows} rows, and the promise needs {needed}.", rows=len(subject.dev), needed=needed)
        return ""

    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Calibrate on dev, count on test."""
        tell(t("calibrating"))
        task = subject.task
        shipped = _shipped(subject)
        sets = shipped or calibrate(
            subject.model.scores(subject.dev.inputs), task.targets(subject.dev.labels), self.options.coverage
        )
        tell(t("counting"))
        probabilities, labels = subject.model.scores(subject.test.inputs), task.targets(subject.test.labels)
        held, sizes = covered(sets, probabilities, labels), sets.holds(probabilities).sum(axis=1)
        figures = {
            "coverage": share(int(held.sum()), len(held)),
            "set_size": mean_figure(sizes, redrawn(len(sizes), subject.random(self.name))),
            "single": share(int((sizes == 1).sum()), len(sizes)),
        }
        by_class = {name: held[labels == number] for number, name in enumerate(task.labels)}
        figures |= {f"coverage.{name}": share(int(each.sum()), len(each)) for name, each in by_class.items()}
        details = {
            "promised": sets.coverage, "shipped": shipped is not None, "calibrated_on": sets.rows, "least": sets.least,
            "sizes": {str(size): int((sizes == size).sum()) for size in range(len(task.labels) + 1)},
        }  # fmt: skip
        return Outcome(figures, _findings(sets, held, by_class), details)

    @classmethod
    def title(cls) -> str:
        """Its heading."""
        return t("Sets of classes")

    @classmethod
    def figure_title(cls, name: str) -> str:
        """What a figure is called."""
        titles = {
            "coverage": t("share of sets that hold the right class"),
            "set_size": t("classes in a set, on average"),
            "single": t("share of sets of one class"),
        }
        return figure_name(name, titles)

    @classmethod
    def sentence(cls, kind: str, fields: Mapping[str, Any]) -> str:
        """A finding in words."""
        if kind == "undercoverage":
            return t(
                "The sets hold the right class in {found:.1%} of the test rows, where {promised:.0%} was promised: "
                "test is harder than dev, beyond chance.", **fields,
            )  # fmt: skip
        return t(
            "Of the class {label} only {found:.1%} of the sets hold it, where {promised:.0%} holds for all classes "
            "together.", **fields,
        )  # fmt: skip

    @classmethod
    def parts(cls, outcome: Mapping[str, Any]) -> list[Markup]:
        """How many sets are of which size."""
        details = outcome["details"]
        told = t("These are the sets that ship in the release.") + " " if details["shipped"] else ""
        told += t(
            "{promised:.0%} was promised. The sets were calibrated on the {rows} rows of dev, which also chose the "
            "model's weights; the figures are of test. A set holds every class with a probability of at least "
            "{least:.3f}; an empty one says that no class is plausible.",
            promised=details["promised"], rows=details["calibrated_on"], least=details["least"],
        )  # fmt: skip
        rows = [[size, count] for size, count in details["sizes"].items()]
        return [paragraph(told, "note"), table([t("classes in the set"), t("texts")], rows)]


def _shipped(subject: Subject) -> LabelSets | None:
    """The sets that the release itself answers with."""
    abstainer: Abstainer | None = getattr(subject.bare, "abstainer", None)
    return None if abstainer is None else abstainer.sets


def _findings(sets: LabelSets, held: Any, by_class: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The promise itself, then classes for which it is kept by the others; each among as many as were looked at."""
    findings = []
    if chance_of_so_few(sets, int(held.sum()), len(held)) < RISK:
        findings.append(Finding("undercoverage", {"found": float(held.mean()), "promised": sets.coverage}))
    for name, each in by_class.items():
        if len(each) and chance_of_so_few(sets, int(each.sum()), len(each)) < RISK / len(by_class):
            fields = {"label": name, "found": float(each.mean()), "promised": sets.coverage}
            findings.append(Finding("uncovered_class", fields))
    return tuple(findings)
