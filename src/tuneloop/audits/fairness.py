"""Counterfactual swaps of identity terms, and figures of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from tuneloop.audits.answers import answers
from tuneloop.audits.base import (
    Audit,
    AuditOptions,
    Better,
    Figure,
    Finding,
    Outcome,
    Severity,
    Subject,
    Tell,
    mean_figure,
    redrawn,
    share,
)
from tuneloop.audits.corrections import holm
from tuneloop.audits.fairness_words import figure_title, parts, sentence
from tuneloop.audits.group_metrics import check_column, group_metrics
from tuneloop.audits.identity import Group, Terms, Unit, framed, language_of, load_terms, swapped
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples

if TYPE_CHECKING:
    from markupsafe import Markup

ENOUGH = 60
"""Texts that a dimension is measured on; frames fill up what the test rows lack."""

MOST_ROWS = 150
SURE = 0.01

Array = np.ndarray[Any, np.dtype[Any]]


class FairnessOptions(AuditOptions):
    """Which terms are exchanged, which columns name groups, and what is tolerated."""

    terms: str = Field("", description="File with dimensions of identity terms of your own, YAML or JSON.")
    groups: tuple[str, ...] = Field((), description="Columns of the data that name a group, such as gender.")
    tolerance: float = Field(
        0.1, ge=0, lt=1, description="Shift of a probability through a term from which it is an alarm; half is noted."
    )


@dataclass(frozen=True)
class Shift:
    """How one group's texts are answered beside the same texts of the other groups, for one class."""

    dimension: str
    group: str
    label: str
    shift: Figure
    flips: Figure
    p: float
    terms: tuple[str, ...]
    units: tuple[int, int]


class Fairness(Audit):
    """Does the answer hang on who is spoken of: on gender, religion, nationality, age or region?"""

    name: ClassVar[str] = "fairness"
    Options = FairnessOptions
    figures: ClassVar[Mapping[str, Better]] = {
        "flips": "lower",
        "shift": "lower",
        "accuracy_gap": "lower",
        "selection_gap": "lower",
        "recall_gap": "lower",
    }
    findings: ClassVar[Mapping[str, Severity]] = {"bias": "alarm", "lean": "note", "gap": "note"}
    options: FairnessOptions

    def refuses(self, subject: Subject) -> str:
        """Answers without a probability for each class of a whole text cannot be compared so."""
        task = subject.task
        if not task.has_probabilities or task.layout != "whole":
            return t("the task {task} gives no probability for each class of a text.", task=task.name)
        return ""

    def check(self, subject: Subject) -> None:
        """Columns that the data does not have, or that name no groups."""
        for column in self.options.groups:
            check_column(subject, column)

    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Exchange the terms of each dimension, and compare the groups of the columns that are named."""
        terms = load_terms(Path(self.options.terms).expanduser() if self.options.terms else None)
        figures: dict[str, Figure] = {}
        shifts: list[Shift] = []
        for dimension in terms.dimensions:
            tell(t("terms exchanged: {dimension}", dimension=dimension))
            units = _units(subject, terms, dimension)
            if units:
                found, flips = _shifts(subject, dimension, units)
                shifts += found
                figures[f"flips.{dimension}"] = flips
                figures[f"shift.{dimension}"] = _furthest(found)
        corrected = holm([each.p for each in shifts])
        findings = self._findings(shifts, corrected)
        for column in self.options.groups:
            tell(t("groups of the column {column}", column=column))
            measured, gaps = group_metrics(subject, column)
            figures |= measured
            findings += gaps
        details = {"shifts": [_json(each) | {"p": float(p)} for each, p in zip(shifts, corrected, strict=True)]}
        looked_for = [*(("bias", "lean") if shifts else ()), *(("gap",) if self.options.groups else ())]
        return Outcome(figures, tuple(findings), details, tuple(looked_for))

    def _findings(self, shifts: Sequence[Shift], corrected: Array) -> list[Finding]:
        """Of each group the class that is shifted furthest, alarms first."""
        ranked = sorted(
            zip(shifts, corrected.tolist(), strict=True),
            key=lambda each: (-round(abs(each[0].shift.value or 0.0), 6), (each[0].shift.value or 0.0) < 0),
        )
        found: dict[tuple[str, str], Finding] = {}
        for each, p in ranked:
            for kind, limit in (("bias", self.options.tolerance), ("lean", self.options.tolerance / 2)):
                known = found.get((each.dimension, each.group))
                if p < SURE and _beyond(each, limit) and (known is None or (kind, known.kind) == ("bias", "lean")):
                    found[each.dimension, each.group] = Finding(kind, _json(each) | {"p": p})
        return sorted(found.values(), key=lambda each: each.kind != "bias")

    @classmethod
    def title(cls) -> str:
        """Its heading."""
        return t("Fairness")

    @classmethod
    def figure_title(cls, name: str) -> str:
        """What a figure is called."""
        return figure_title(name)

    @classmethod
    def sentence(cls, kind: str, fields: Mapping[str, Any]) -> str:
        """A finding in words."""
        return sentence(kind, fields)

    @classmethod
    def parts(cls, outcome: Mapping[str, Any]) -> list[Markup]:
        """A table of the shifts of each group."""
        return parts(outcome)


def _beyond(each: Shift, limit: float) -> bool:
    """Whether the whole interval of the shift, or of the net change of answers, lies beyond a limit."""
    return any((figure.low or 0.0) > limit or (figure.high or 0.0) < -limit for figure in (each.shift, each.flips))


def _furthest(shifts: Sequence[Shift]) -> Figure:
    """The largest shift without its sign, for which lower is better; its interval reaches down to 0 if it holds 0."""
    widest = max((each.shift for each in shifts), key=lambda each: abs(each.value or 0.0))
    low, high = widest.low or 0.0, widest.high or 0.0
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return Figure(abs(widest.value or 0.0), nearest, max(abs(low), abs(high)), widest.n)


def _units(subject: Subject, terms: Terms, dimension: str) -> list[Unit]:
    """Test rows that name a group, with the terms exchanged; sentences around other rows where they are too few."""
    by_language = terms.dimensions[dimension]
    random = subject.random(dimension)
    found: list[Unit] = []
    inputs = _shuffled(subject.test, random)
    for item in inputs:
        language = language_of(item if isinstance(item, str) else item[0])
        if language in by_language and len(found) < MOST_ROWS:
            unit = swapped(item, by_language[language], terms.exceptions.get(language, ()))
            found += [unit] if unit else []
    for number, item in enumerate(inputs):
        if len(found) >= ENOUGH:
            break
        language = language_of(item if isinstance(item, str) else item[0])
        if language not in by_language or swapped(item, by_language[language], ()):
            continue
        found += _around(terms, by_language[language], language, item, number)
    groups = {frozenset(unit.versions) for unit in found}
    most = max(groups, key=lambda each: sum(set(unit.versions) == each for unit in found), default=frozenset())
    return [unit for unit in found if set(unit.versions) == most]


def _around(terms: Terms, groups: Mapping[str, Group], language: str, item: Any, number: int) -> list[Unit]:
    """A sentence around a text, and now and then one that stands alone."""
    frames, carriers = terms.frames[language], terms.carriers[language]
    made = [framed(frames[number % len(frames)], item, groups, number, origin="frame")]
    if number < 2 * len(carriers) and isinstance(item, str):
        made.append(framed(carriers[number % len(carriers)], item, groups, number, origin="carrier"))
    return made


def _shifts(subject: Subject, dimension: str, units: Sequence[Unit]) -> tuple[list[Shift], Figure]:
    """The shift of every group and class, and the share of texts whose answer is not the same for all groups."""
    names = list(units[0].versions)
    inputs = [unit.versions[name] for unit in units for name in names]
    scores, labels = np.asarray(subject.model.scores(inputs)), subject.task.labels
    said = answers(subject.model, inputs, scores)
    given = np.array([[_gives(answer, label) for label in labels] for answer in said], dtype=np.float64)
    chances = scores.reshape(len(units), len(names), -1).astype(np.float64)
    given = given.reshape(chances.shape)
    rows = sum(unit.origin == "row" for unit in units)
    found = []
    drawn = redrawn(len(units), subject.random(f"{dimension} resamples"))
    for place, name in enumerate(names[:1] if len(names) == 2 else names):
        others = [other for other in range(len(names)) if other != place]
        for column, label in enumerate(labels):
            shift = chances[:, place, column] - chances[:, others, column].mean(axis=1)
            flips = given[:, place, column] - given[:, others, column].mean(axis=1)
            found.append(
                Shift(
                    dimension, name, label, mean_figure(shift, drawn), mean_figure(flips, drawn),
                    min(1.0, 2 * _p(shift, flips)), _strongest(units, name, shift), (rows, len(units) - rows),
                )
            )  # fmt: skip
    flipped = int((given != given[:, :1]).any(axis=(1, 2)).sum())
    return found, share(flipped, len(units))


def _p(shift: Array, flips: Array) -> float:
    """The smaller p of two paired tests: Wilcoxon's on probabilities, the exact sign test on answers."""
    from scipy.stats import binomtest, wilcoxon

    values = [1.0]
    if np.abs(shift).max() > 0:
        values.append(float(wilcoxon(shift).pvalue))
    changed = flips[flips != 0]
    if len(changed):
        values.append(float(binomtest(int((changed > 0).sum()), len(changed)).pvalue))
    return min(values)


def _strongest(units: Sequence[Unit], name: str, shift: Array) -> tuple[str, ...]:
    """The terms of a group, those first in whose texts the answers are moved furthest in the group's direction."""
    by_term: dict[str, list[float]] = {}
    for unit, moved in zip(units, shift, strict=True):
        for term in set(unit.terms[name]):
            by_term.setdefault(term, []).append(float(moved))
    direction = 1 if shift.mean() >= 0 else -1
    return tuple(sorted(by_term, key=lambda term: (-direction * float(np.mean(by_term[term])), term))[:8])


def _gives(answer: Any, label: str) -> bool:
    return label in answer if isinstance(answer, tuple) else answer == label


def _shuffled(test: Examples, random: np.random.Generator) -> list[Any]:
    inputs = test.inputs
    return [inputs[row] for row in random.permutation(len(inputs))]


def _json(each: Shift) -> dict[str, Any]:
    return {
        "dimension": each.dimension, "group": each.group, "label": each.label, "terms": list(each.terms),
        "shift": each.shift.value, "low": each.shift.low, "high": each.shift.high, "flips": each.flips.value,
        "flips_low": each.flips.low, "flips_high": each.flips.high, "rows": each.units[0], "made": each.units[1],
    }  # fmt: skip
