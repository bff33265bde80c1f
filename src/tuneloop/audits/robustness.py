"""Whether answers hold when a text is written a little differently.

Invariance and directional tests are those of Ribeiro et al., "Beyond Accuracy: Behavioral Testing of NLP Models with
CheckList" (2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from tuneloop.audits.base import Audit, AuditOptions, Better, Figure, Finding, Outcome, Severity, Subject, Tell
from tuneloop.audits.robust.attack import measure_attack
from tuneloop.audits.robust.behaving import run_own_tests, run_suite
from tuneloop.audits.robust.certified import measure_certified
from tuneloop.audits.robust.perturbed import Limits, measure
from tuneloop.audits.robust.poles import poles
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.perturbations import PERTURBATIONS
from tuneloop.data.perturbations.base import UnitPerturbation, available

if TYPE_CHECKING:
    from markupsafe import Markup


class RobustnessOptions(AuditOptions):
    """What is changed, and how many answers may change with it."""

    perturbations: tuple[str, ...] = Field((), description="Which perturbations to try; all by default.")
    per_row: int = Field(
        1, ge=1, le=20, description="Draws of each perturbation for a row; its answer fails if one of them changes it."
    )
    limit: float = Field(
        0.25, gt=0, lt=1, description="Share of right answers that one perturbation may change without an alarm."
    )
    negation_limit: float = Field(
        0.5, gt=0, lt=1, description="Share of right answers that may stay under negation without a note."
    )
    poles: dict[str, str] = Field(
        default_factory=dict,
        description="Labels of praise and blame, {positive: LABEL, negative: LABEL, neutral: LABEL}, where their "
        "names do not say so; negation needs them.",
    )
    attack_rows: int = Field(
        100, ge=0, description="Rows on which a search for breaking changes is made, at most; 0 makes none."
    )
    attack_kinds: tuple[str, ...] = Field(
        ("synonyms", "typos", "keyboard", "homophones", "shapes"),
        description="Perturbations of single words or characters that the search may combine.",
    )
    attack_share: float = Field(
        0.3, gt=0, le=1, description="Share of the words of a text that the search may change; one at least."
    )
    tests: str = Field(
        "",
        description="A YAML file with tests of behaviour of your own: docs/robustness.md; relative to where you are.",
    )
    suite: bool = Field(
        True, description="Run our own tests of sentiment too, where labels of praise and blame are known."
    )
    certify_votes: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Copies of each text, with words deleted, that vote for a certified bound; 0: none.",
    )
    certify_rows: int = Field(50, ge=1, description="Rows for that bound, at most.")
    certify_deletion: float = Field(
        0.75,
        gt=0,
        lt=1,
        description="Probability with which each word of a copy is deleted: more certifies more changes.",
    )

    @field_validator("certify_votes")
    @classmethod
    def _votes(cls, votes: int) -> int:
        if votes == 1:
            raise ValueError(t("one copy alone is no vote: give 0 or at least 2"))
        return votes


class Robustness(Audit):
    """Do answers hold when a text is written a little differently?"""

    name: ClassVar[str] = "robustness"
    Options = RobustnessOptions
    figures: ClassVar[Mapping[str, Better]] = {
        "failures": "lower",
        "accuracy_drop": "lower",
        "robust_accuracy": "higher",
        "attack_success": "lower",
        "attack_queries": "higher",
        "tests": "lower",
        "suite": "lower",
        "voting_accuracy": "higher",
        "certified": "higher",
    }
    findings: ClassVar[Mapping[str, Severity]] = {
        "fragile": "alarm", "ignores_negation": "note", "test_failed": "alarm", "suite_failed": "note",
    }  # fmt: skip
    options: RobustnessOptions

    def refuses(self, subject: Subject) -> str:
        """Texts of these tasks cannot be changed without their labels, or have no label that is right or wrong."""
        task = subject.task
        if not task.has_classes or task.per_token or task.spans_in:
            return t("robustness needs a class for each text, which task {task} does not have.", task=task.name)
        return "" if len(subject.test) else t("there are no test rows.")

    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Perturb every row, and see which right answers change."""
        asked = getattr(subject.model, "asked", 0)
        turning = poles(subject.task.labels, self.options.poles)
        made, lacking = available(self.options.perturbations or PERTURBATIONS.names())
        if not turning:
            lacking |= {each.name: "poles" for each in made if each.effect == "turns"}
            made = [each for each in made if each.effect != "turns"]
        limits = Limits(self.options.limit, self.options.negation_limit)
        parts = [run_own_tests(subject, self.options.tests, tell)] if self.options.tests else []
        parts.append(measure(subject, made, per_row=self.options.per_row, limits=limits, poles=turning, tell=tell))
        parts += self._attack(subject, tell)
        if self.options.suite and turning and not subject.test.pairs:
            parts.append(run_suite(subject, turning, tell))
        if self.options.certify_votes:
            parts.append(self._certified(subject, tell))
        asked = getattr(subject.model, "asked", 0) - asked
        return merged(parts, {"left_out": lacking, "answers": asked})

    def _attack(self, subject: Subject, tell: Tell) -> list[Outcome]:
        kinds, _ = available(self.options.attack_kinds)
        for kind in kinds:
            if not isinstance(kind, UnitPerturbation):
                raise ConfigError(
                    t("audit robustness, attack_kinds: {name} changes whole texts, not words.", name=kind.name),
                    t("Choose such as typos, keyboard, synonyms, homophones, shapes."),
                )
        if not self.options.attack_rows or subject.task.problem_type != "single_label_classification":
            return []
        units = [kind for kind in kinds if isinstance(kind, UnitPerturbation)]
        rows, words_share = self.options.attack_rows, self.options.attack_share
        return [measure_attack(subject, units, rows=rows, words_share=words_share, tell=tell)]

    def _certified(self, subject: Subject, tell: Tell) -> Outcome:
        options = self.options
        return measure_certified(
            subject,
            rows=options.certify_rows,
            votes=options.certify_votes,
            deletion=options.certify_deletion,
            tell=tell,
        )

    @classmethod
    def title(cls) -> str:
        """Its heading."""
        return t("Robustness")

    @classmethod
    def knows(cls, figure: str) -> bool:
        """Figures of perturbations that there are, of numbers of words, of any test."""
        kind, _, tail = figure.partition(".")
        if kind == "failures":
            return not tail or tail in PERTURBATIONS.names()
        if kind == "certified":
            return not tail or tail.isdecimal()
        return not tail or kind in ("tests", "suite")

    @classmethod
    def figure_text(cls, name: str, value: float) -> str:
        """A figure's number as it is read."""
        return f"{value:,.0f}" if name == "attack_queries" else f"{value:.3f}"

    @classmethod
    def figure_title(cls, name: str) -> str:
        """What a figure is called."""
        from tuneloop.audits.robust.words import figure_title

        return figure_title(name)

    @classmethod
    def sentence(cls, kind: str, fields: Mapping[str, Any]) -> str:
        """A finding in words."""
        from tuneloop.audits.robust.words import sentence

        return sentence(kind, fields)

    @classmethod
    def parts(cls, outcome: Mapping[str, Any]) -> list[Markup]:
        """The worst examples, and what was left out."""
        from tuneloop.audits.robust.words import parts

        return parts(outcome)


def merged(parts: Sequence[Outcome], details: Mapping[str, Any]) -> Outcome:
    """One outcome of several; only kinds that a part names were looked for."""
    figures: dict[str, Figure] = {}
    findings: list[Finding] = []
    all_details = dict(details)
    for part in parts:
        figures |= part.figures
        findings += part.findings
        all_details |= part.details
    looked_for = tuple(dict.fromkeys(kind for part in parts for kind in part.looked_for or ()))
    return Outcome(figures, tuple(findings), all_details, looked_for)
