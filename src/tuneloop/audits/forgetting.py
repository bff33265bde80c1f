"""What earlier releases could do, and this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from tuneloop.audits.answers import final_scores
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
    figure_name,
)
from tuneloop.audits.corrections import holm
from tuneloop.core.i18n import t
from tuneloop.data.duplicates import comparables
from tuneloop.data.examples import Examples, Input
from tuneloop.evaluation.intervals import draws, figure
from tuneloop.evaluation.metrics import headline_family
from tuneloop.evaluation.paired import Comparison, compare
from tuneloop.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray, Task

RESAMPLES = 1000
FEWEST = 20
"""Rows of a test set that a figure rests on."""

SURE = 0.05


class ForgettingOptions(AuditOptions):
    """Which rows beside those of earlier releases."""

    probes: dict[str, str] = Field(
        default_factory=dict, description="Labelled files by name, of what the model must still be able to do."
    )
    rows: int = Field(1000, ge=20, description="Rows of each earlier test set or probe, at most.")


class Forgetting(Audit):
    """Has the model unlearnt what earlier releases of it could do?"""

    name: ClassVar[str] = "forgetting"
    reads_texts = False
    Options = ForgettingOptions
    figures: ClassVar[Mapping[str, Better]] = {"score": "higher", "change": "higher", "seen": "lower"}
    findings: ClassVar[Mapping[str, Severity]] = {"forgotten": "alarm", "unlearnt_class": "note"}
    options: ForgettingOptions

    def refuses(self, subject: Subject) -> str:
        """Nothing can be forgotten by a first release."""
        if subject.earlier or self.options.probes:
            return ""
        return t("there is no earlier release with other data, and no probes are named.")

    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Ask the model every earlier test set, and compare with what the release of that time answered."""
        figures: dict[str, Figure] = {}
        compared: dict[str, tuple[Comparison, int]] = {}
        notes: list[Finding] = []
        for name, examples in {**subject.earlier, **self._probes(subject)}.items():
            tell(t("test rows of {name}", name=name))
            rows, seen = _unseen(subject, examples)
            gone = sorted({str(label) for label in examples.labels if not _known(subject.task, label)})
            if gone:
                notes.append(Finding("unlearnt_class", {"name": name, "labels": gone}))
            kept = examples.select(self._drawn([row for row in rows if _known(subject.task, examples.labels[row])],
                                               subject, name))  # fmt: skip
            figures[f"seen.{name}"] = Figure(float(seen), n=len(examples))
            if len(kept) < FEWEST:
                continue
            scores = final_scores(subject.model, kept.inputs)
            figures[f"score.{name}"] = _score(subject, kept, scores)
            before = subject.earlier_answers.get(name)
            earlier = _answers(before, kept, subject.task) if before is not None else None
            if earlier is None:
                continue
            found = compare(subject.task, kept.labels, scores, earlier, seed=subject.seed, resamples=RESAMPLES)
            compared[name] = found, seen
            figures[f"change.{name}"] = Figure(found.difference, found.low, found.high, len(kept))
        corrected = holm([found.p for found, _ in compared.values()])
        alarms = [
            Finding("forgotten", _json(name, found, seen) | {"p": float(p)})
            for (name, (found, seen)), p in zip(compared.items(), corrected, strict=True)
            if p < SURE and found.high < 0
        ]
        looked_for = ("unlearnt_class", *(("forgotten",) if compared else ()))
        return Outcome(figures, (*alarms, *notes), looked_for=looked_for)

    def _probes(self, subject: Subject) -> dict[str, Examples]:
        from tuneloop.core.config import Columns
        from tuneloop.data.labelled import labelled
        from tuneloop.data.readers import read_table

        task = type(subject.task)
        columns = Columns.model_validate({"pair": "pair"} if task.takes_pairs else {})
        return {
            name: labelled(read_table(path, base=Path.cwd()), columns, task, max_chars=20_000)
            for name, path in self.options.probes.items()
        }

    def _drawn(self, rows: list[int], subject: Subject, name: str) -> list[int]:
        most = self.options.rows
        if len(rows) <= most:
            return rows
        return sorted(rows[place] for place in subject.random(name).permutation(len(rows))[:most].tolist())

    @classmethod
    def title(cls) -> str:
        """Its heading."""
        return t("Forgetting")

    @classmethod
    def figure_title(cls, name: str) -> str:
        """What a figure is called."""
        titles = {
            "score": t("figure on earlier test rows"),
            "change": t("change against the earlier release"),
            "seen": t("rows left out because the model has learnt from them"),
        }
        return figure_name(name, titles)

    @classmethod
    def figure_text(cls, name: str, value: float) -> str:
        """A figure's number as it is read."""
        return f"{value:.0f}" if name.startswith("seen") else f"{value:.3f}"

    @classmethod
    def sentence(cls, kind: str, fields: Mapping[str, Any]) -> str:
        """A finding in words."""
        if kind == "unlearnt_class":
            return t(
                "The test rows of {name} have classes that the model does not know: {labels}.",
                name=fields["name"],
                labels=", ".join(fields["labels"]),
            )
        return t(
            "On {rows} test rows of {name} the model is worse than that release was: {now:.3f} against {before:.3f}, "
            "a difference of {difference:+.3f} (95 % interval {low:+.3f} to {high:+.3f}); {lost} rows were right and "
            "no longer are. {seen} rows that it has learnt from are left out.",
            **{key: fields[key] for key in ("rows", "name", "now", "before", "difference", "low", "high", "seen")},
            lost="-" if fields["lost"] is None else fields["lost"],
        )


def _unseen(subject: Subject, examples: Examples) -> tuple[list[int], int]:
    """The rows that the model has not learnt from, and how many it has; case and spaces do not count."""
    prompts = subject.task.free_answers
    known = {each for split in (subject.train, subject.dev) for each in comparables(split, prompts=prompts)}
    rows = [row for row, each in enumerate(comparables(examples, prompts=prompts)) if each not in known]
    return rows, len(examples) - len(rows)


def _known(task: Task, label: Any) -> bool:
    """Whether a label is among the classes of the task, where it has any."""
    if not task.labels or not task.has_classes:
        return True
    return all(name in task.labels for name in task.label_names([label]))


def _score(subject: Subject, kept: Examples, scores: FloatArray) -> Figure:
    """The task's primary metric with its bootstrap interval."""
    metric = subject.task.primary_metric
    family = headline_family(subject.task, kept.labels, scores)
    weights = draws(len(kept), resamples=RESAMPLES, seed=subject.seed)
    found = figure(metric, family.values()[metric], np.concatenate([family.resample(each)[metric] for each in weights]))
    return Figure(found.value, found.low, found.high, len(kept))


def _answers(before: Predictions, kept: Examples, task: Task) -> FloatArray | None:
    """What an earlier release answered to these rows, in the columns of the task; None if it did not answer them all.

    A class that the earlier release did not know has probability 0.
    """
    places: dict[tuple[str, Input], int] = {
        key: row for row, key in enumerate(zip(before.examples.ids, before.examples.inputs, strict=True))
    }
    keys = list(zip(kept.ids, kept.inputs, strict=True))
    if any(key not in places for key in keys):
        return None
    scores = before.scores[[places[key] for key in keys]]
    if not task.has_probabilities or before.classes == task.labels:
        return scores
    aligned = np.zeros((len(keys), len(task.labels)), np.float32)
    for column, label in enumerate(task.labels):
        if label in before.classes:
            aligned[:, column] = scores[:, before.classes.index(label)]
    return aligned


def _json(name: str, found: Comparison, seen: int) -> dict[str, Any]:
    kept = {
        key: value for key, value in asdict(found).items() if key in ("metric", "difference", "low", "high", "rows")
    }
    return kept | {
        "name": name, "now": found.value_a, "before": found.value_b, "lost": found.only_b_right, "seen": seen,
    }  # fmt: skip
