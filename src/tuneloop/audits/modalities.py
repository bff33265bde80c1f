"""What a model of several modalities owes to each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tuneloop.audits.answers import final_scores
from tuneloop.audits.base import (
    RESAMPLES,
    Audit,
    AuditOptions,
    Better,
    Figure,
    Finding,
    Outcome,
    Severity,
    Subject,
    Tell,
    figure_name,
)
from tuneloop.core.i18n import t
from tuneloop.core.page import paragraph
from tuneloop.evaluation.paired import compare
from tuneloop.media.items import is_item, parse, without

if TYPE_CHECKING:
    from markupsafe import Markup


class Modalities(Audit):
    """How good are the answers when a modality is missing, and is there one that the model does not use?

    Test rows that have several modalities are answered as they are, without each of them, and with each of them alone;
    the figure is the task's headline figure. `unused` says that the model is no worse without a modality, as far as
    these rows can tell.
    """

    name: ClassVar[str] = "modalities"
    Options = AuditOptions
    reads_texts = False
    figures: ClassVar[Mapping[str, Better]] = {
        "score": "higher", "without": "higher", "only": "higher", "loss": "lower",
    }  # fmt: skip
    findings: ClassVar[Mapping[str, Severity]] = {"unused": "note"}

    def refuses(self, subject: Subject) -> str:
        """Why there is nothing to say."""
        if subject.task.takes_pairs or not len(_mixed(subject)):
            return t("the test rows are not made of several modalities.")
        return ""

    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Answer the rows with and without each modality."""
        rows = subject.test.select(_mixed(subject))
        names = list(dict.fromkeys(name for text in rows.texts for name in parse(text)))

        def scores(hidden: set[str]) -> Any:
            return final_scores(subject.model, [without(text, hidden) for text in rows.texts])

        whole = scores(set())
        figures: dict[str, Figure] = {}
        findings = []
        for name in names:
            tell(name)
            lacking = scores({name})
            alone = scores(set(names) - {name})
            found = compare(subject.task, rows.labels, whole, lacking, seed=subject.seed, resamples=RESAMPLES)
            only = compare(subject.task, rows.labels, whole, alone, seed=subject.seed, resamples=RESAMPLES)
            figures["score"] = Figure(found.value_a, n=len(rows))
            figures[f"without.{name}"] = Figure(found.value_b, n=len(rows))
            figures[f"only.{name}"] = Figure(only.value_b, n=len(rows))
            figures[f"loss.{name}"] = Figure(found.difference, found.low, found.high, len(rows))
            if found.low <= 0:
                findings.append(Finding("unused", {"name": name, "low": found.low, "high": found.high}))
        return Outcome(figures, tuple(findings), {"metric": found.metric})

    @classmethod
    def title(cls) -> str:
        """Its heading."""
        return t("Modalities")

    @classmethod
    def figure_title(cls, name: str) -> str:
        """What a figure is called."""
        titles = {
            "score": t("headline figure with all modalities"),
            "without": t("without one"),
            "only": t("with one alone"),
            "loss": t("what is lost without it"),
        }
        return figure_name(name, titles)

    @classmethod
    def sentence(cls, kind: str, fields: Mapping[str, Any]) -> str:
        """A finding in words."""
        return t(
            "Without {name} the answers are as good, as far as these rows can tell: it adds {low:+.3f} "
            "to {high:+.3f} to the figure.", **fields,
        )  # fmt: skip

    @classmethod
    def parts(cls, outcome: Mapping[str, Any]) -> list[Markup]:
        """Which figure it is."""
        return [paragraph(t("The figure is {metric}.", metric=outcome["details"]["metric"]), "note")]


def _mixed(subject: Subject) -> list[int]:
    """Test rows that have two modalities or more."""
    return [row for row, text in enumerate(subject.test.texts) if is_item(text) and len(parse(text)) > 1]
