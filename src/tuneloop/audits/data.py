"""Leakage, label errors, shortcuts and length bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tuneloop.audits.base import Audit, AuditOptions, Better, Figure, Finding, Outcome, Severity, Subject, Tell, share
from tuneloop.audits.cues import cues, neutral_words, strongest, vocabulary
from tuneloop.audits.data_words import figure_title, parts, sentence
from tuneloop.audits.leakage import Leak, leaks
from tuneloop.audits.length import LengthBias, length_bias
from tuneloop.audits.reliance import Reliance, reliances
from tuneloop.core.i18n import t
from tuneloop.data.conversation import shortened
from tuneloop.data.examples import Examples, joined

if TYPE_CHECKING:
    from markupsafe import Markup

    from tuneloop.tasks.base import Task

NAMED = 50
"""Rows that a finding names; `count` says how many there are."""

SHOWN_CHARS = 160
HELD_OUT = 300
"""Dev rows that words are put into."""

MOST_NOTES = 8
"""Words that are noted as what the model rightly or wrongly goes by; the details have all."""

MAX_TRAIN = 20_000
"""Training rows that are looked at for label errors and predictive words; more are sampled."""


class DataOptions(AuditOptions):
    """What counts as a leak, and how many words are tried."""

    near_threshold: float = Field(
        0.9, ge=0.7, le=1, description="Jaccard similarity of five-character runs from which two rows are the same."
    )
    words: int = Field(8, ge=1, le=100, description="Predictive words of each class that the model is tried on.")
    all_words: int = Field(
        40, ge=1, le=1000, description="Predictive words of all classes together, those with the most evidence."
    )
    meant: tuple[str, ...] = Field(
        (), description="Words that are meant to decide a class: they are never called a shortcut."
    )


class Data(Audit):
    """Is the model's success honest: do splits share rows, are labels wrong, does a single word or length decide?"""

    name: ClassVar[str] = "data"
    Options = DataOptions
    figures: ClassVar[Mapping[str, Better]] = {
        "leakage": "lower",
        "label_errors": "lower",
        "word_flips": "lower",
        "length_auc": "lower",
        "length_followed": "lower",
    }
    findings: ClassVar[Mapping[str, Severity]] = {
        "leakage": "alarm",
        "shortcut": "alarm",
        "length": "alarm",
        "label_errors": "note",
        "cue": "note",
    }
    options: DataOptions

    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Leaks of all splits, suspected labels of train, and what the model makes of words and length."""
        tell(t("rows that two splits share"))
        splits = {"train": subject.train, "dev": subject.dev, "test": subject.whole_test}
        shared = leaks(splits, self.options.near_threshold, prompts=subject.task.free_answers)
        figures = {
            f"leakage.{one}_{other}": share(len(found), len(splits[other])) for (one, other), found in shared.items()
        }
        findings = [_leakage(pair, found, splits) for pair, found in shared.items() if found]
        details: dict[str, Any] = {}
        looked_for = ["leakage"]
        train = _sample(subject.train, MAX_TRAIN, subject, "data")
        if _has_plain_labels(subject.task):
            tell(t("labels that may be wrong"))
            wrong, count = _label_errors(train, subject)
            figures["label_errors"] = count
            findings += wrong
            if count.n:
                looked_for.append("label_errors")
            else:
                details["left_out"] = ["label_errors"]
        if _has_one_class(subject.task):
            tried, left_out = self._words(subject, train, tell)
            figures["word_flips"] = _highest(tried)
            findings += [self._finding(each) for each in tried if self._is_shortcut(each)]
            findings += [self._finding(each) for each in tried if self._is_noted(each)][:MOST_NOTES]
            details |= {"words": [_word_json(each) for each in tried], "words_left_out": left_out}
            looked_for += ["shortcut", "cue"]
            tell(t("length"))
            length = length_bias(subject, _sample(subject.test, HELD_OUT, subject, "length"))
            if length is not None:
                figures |= {"length_auc": length.auc, "length_followed": length.followed}
                findings += [_length_finding(length)] if length.is_bias else []
                looked_for += ["length"] if length.followed.value is not None else []
        order = list(self.findings)
        findings.sort(key=lambda each: order.index(each.kind))
        return Outcome(figures, tuple(findings), details, tuple(looked_for))

    def _words(self, subject: Subject, train: Examples, tell: Tell) -> tuple[list[Reliance], int]:
        """What the model makes of the strongest words, and how many others predict a class too."""
        known = vocabulary(train, subject.task.labels)
        held_out = joined(_sample(subject.dev, HELD_OUT, subject, "held out"), subject.test)
        found = cues(known, most=self.options.words)
        tried = strongest(found, self.options.all_words)
        measured = reliances(replace(subject, train=train), tried, neutral_words(known), held_out, tell)
        return measured, len(found) - len(tried)

    def _is_shortcut(self, each: Reliance) -> bool:
        return each.is_shortcut and each.cue.word not in {word.lower() for word in self.options.meant}

    def _is_noted(self, each: Reliance) -> bool:
        return each.relied_on and not self._is_shortcut(each)

    def _finding(self, each: Reliance) -> Finding:
        return Finding("shortcut" if self._is_shortcut(each) else "cue", _word_json(each))

    @classmethod
    def title(cls) -> str:
        """Its heading."""
        return t("Data")

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
        """Tables of shared rows, of suspected labels and of the words that were tried."""
        return parts(outcome)


def _leakage(pair: tuple[str, str], found: list[Leak], splits: Mapping[str, Examples]) -> Finding:
    one, other = (splits[name] for name in pair)
    rows = [
        {
            "id": other.ids[leak.row],
            "partner_id": one.ids[leak.partner],
            "exact": leak.exact,
            "text": shortened(other.texts[leak.row], SHOWN_CHARS),
        }
        for leak in found[:NAMED]
    ]
    exact = sum(leak.exact for leak in found)
    return Finding(
        "leakage", {"split": pair[1], "seen_in": pair[0], "count": len(found), "exact": exact,
                    "of": len(other), "rows": rows}
    )  # fmt: skip


def _label_errors(train: Examples, subject: Subject) -> tuple[list[Finding], Figure]:
    from tuneloop.data.label_errors import suspected_labels
    from tuneloop.data.stored import plain_label

    suspects = suspected_labels(train.inputs, train.labels, seed=subject.seed)
    rows = [
        {
            "id": train.ids[each.row],
            "text": shortened(train.texts[each.row], SHOWN_CHARS),
            "label": plain_label(train.labels[each.row]),
            "suggested": plain_label(each.suggested),
            "fit": round(each.score, 4),
        }
        for each in suspects.found[:NAMED]
    ]
    count, of = len(suspects.found), suspects.examined
    found = [Finding("label_errors", {"count": count, "of": of, "rows": rows})] if count else []
    return found, share(count, of)


def _word_json(each: Reliance) -> dict[str, Any]:
    cue = each.cue
    return {
        "word": each.spelling, "also": list(cue.also), "side": cue.side, "label": cue.label, "rows": cue.rows,
        "of_label": cue.of_label, "p": cue.p, "place": each.place, "moved": each.moved.value, "tried": each.moved.n,
        "control": each.control.value, "lost": each.lost.value, "shift": each.shift, "ordinary": each.ordinary,
        "p_moved": each.p,
    }  # fmt: skip


def _length_finding(length: LengthBias) -> Finding:
    fields = {"label": length.label, "longer": length.longer, "auc": length.auc.value, "moved": length.followed.value}
    return Finding("length", fields)


def _highest(tried: list[Reliance]) -> Figure:
    measured = [each.moved for each in tried if each.moved.value is not None]
    return max(measured, key=lambda each: each.value or 0.0, default=Figure(None))


def _has_plain_labels(task: Task) -> bool:
    """Whether labels are classes or numbers of whole texts, of which a cheap model can doubt some."""
    return task.layout in ("whole", "apart") and not task.free_answers and not task.embeds and not task.spans_in


def _has_one_class(task: Task) -> bool:
    return task.problem_type == "single_label_classification" and task.has_probabilities and task.layout == "whole"


def _sample(examples: Examples, most: int, subject: Subject, purpose: str) -> Examples:
    if len(examples) <= most:
        return examples
    return examples.select(sorted(subject.random(purpose).permutation(len(examples))[:most].tolist()))
