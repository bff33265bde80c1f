"""Texts that the model was not made for: can they be told, and by what?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from tuneloop.abstaining.abstainer import Abstainer, Calibrated, rows_needed
from tuneloop.abstaining.base import FloatArray, Reading
from tuneloop.abstaining.choice import fit_detectors, ranked
from tuneloop.abstaining.separation import Interval, auroc, let_pass
from tuneloop.abstaining.settings import suits
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
    rows_of,
    share,
)
from tuneloop.core.i18n import t
from tuneloop.core.page import paragraph, table
from tuneloop.data.examples import Input
from tuneloop.data.outside_texts import OutsideSet, as_inputs, outside_sets

if TYPE_CHECKING:
    from markupsafe import Markup

    from tuneloop.abstaining.base import Detector

ALL = "all"
"""The name of all sets together."""

BLIND = 0.7
"""An AUROC that is surely below it is worth a note: more than three in ten pairs are taken the wrong way round."""

Row = dict[str, Any]


class OutsideOptions(AuditOptions):
    """What counts as foreign, and how much of it is looked at."""

    outside: tuple[str, ...] = Field(
        (), description="scrambled, code, sample:NAME or files of foreign texts; those at hand by default."
    )
    rows: int = Field(150, ge=20, description="Texts of each half of a foreign set, at most.")
    train_rows: int = Field(2000, ge=50, description="Training texts that detectors learn from, at most.")
    dev_rows: int = Field(1000, ge=20, description="Rows of dev that a detector is chosen by, at most.")
    false_alarms: float = Field(0.05, gt=0, lt=1, description="Share of the model's own texts that may be refused.")


class OutOfDistribution(Audit):
    """Can texts that the model was not made for be told from its own, and by which detector?

    Detectors learn from train. The one to use is chosen on dev and one half of each foreign set, unless the release
    has one, which is then judged as it ships; figures are of test and the other half, which chose nothing.
    """

    name: ClassVar[str] = "ood"
    Options = OutsideOptions
    figures: ClassVar[Mapping[str, Better]] = {
        "auroc": "higher",
        "fpr95": "lower",
        "false_alarms": "lower",
        "caught": "higher",
    }
    findings: ClassVar[Mapping[str, Severity]] = {"blind": "note"}
    options: OutsideOptions

    def refuses(self, subject: Subject) -> str:
        """Why there is nothing to say."""
        if not suits(subject.task):
            return t("it is for tasks whose answer is one class.")
        if not len(subject.test):
            return t("there are no test rows.")
        return "" if subject.train.labels else t("there are no training texts.")

    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Fit, choose, report; see the class."""
        tell(t("its own texts"))
        train = rows_of(subject.train, self.options.train_rows, np.random.default_rng(subject.seed))
        reader = _Reader(subject)
        detectors = fit_detectors(reader(train.inputs), subject.task.targets(train.labels), seed=subject.seed)
        dev = reader(rows_of(subject.dev, self.options.dev_rows, np.random.default_rng(subject.seed)).inputs)
        test = reader(subject.test.inputs)
        abstainer: Abstainer | None = getattr(subject.bare, "abstainer", None)
        shipped = None if abstainer is None else abstainer.used(test)
        if shipped is not None:
            detectors |= {shipped.detector.name: shipped.detector}
        sets = self._sets(subject)
        tell(t("foreign texts"))
        order = ranked(detectors, dev, {each.name: reader.foreign(each.choosing) for each in sets})
        foreign = {each.name: reader.foreign(each.reporting) for each in sets}
        tell(t("comparing detectors"))
        compared = [row for name in order for row in _rows(subject, detectors[name], test, foreign)]
        best = next(iter(order)) if shipped is None else shipped.detector.name
        figures = _figures([row for row in compared if row["detector"] == best])
        if abstainer is not None and shipped is not None:
            figures |= _refused(shipped, abstainer.false_alarms, test, foreign)
        elif len(dev) >= rows_needed(self.options.false_alarms):
            figures |= _refused(Calibrated.on(detectors[best], dev), self.options.false_alarms, test, foreign)
        details = {
            "detector": best, "shipped": shipped is not None, "dev_auroc": order, "table": compared,
            "asked": reader.asked, "vectors": dev.vectors is not None,
            "sets": {each.name: each.reporting[:3] for each in sets},
        }  # fmt: skip
        return Outcome(figures, _findings(compared, best), details)

    def _sets(self, subject: Subject) -> list[OutsideSet]:
        own = [*subject.train.texts, *subject.dev.texts, *subject.whole_test.texts]
        return outside_sets(
            self.options.outside, dev=subject.dev.texts, test=subject.test.texts, own=own, base=Path.cwd(),
            rows=self.options.rows,
        )  # fmt: skip

    @classmethod
    def title(cls) -> str:
        """Its heading."""
        return t("Foreign texts")

    @classmethod
    def figure_title(cls, name: str) -> str:
        """What a figure is called."""
        titles = {
            "auroc": t("AUROC of the chosen detector"),
            "fpr95": t("foreign texts let pass when 95 % of its own are kept (FPR@95)"),
            "false_alarms": t("its own texts refused, with the threshold of dev"),
            "caught": t("foreign texts refused, with the threshold of dev"),
        }
        return figure_name(name, titles, _set_name)

    @classmethod
    def sentence(cls, kind: str, fields: Mapping[str, Any]) -> str:
        """A finding in words."""
        return t(
            "No detector tells {name} from the model's own texts: {detector} has an AUROC of {auroc:.2f}, for sure "
            "below {limit:.2f}.",
            name=_set_name(fields["set"]), detector=fields["detector"], auroc=fields["auroc"], limit=BLIND,
        )  # fmt: skip

    @classmethod
    def parts(cls, outcome: Mapping[str, Any]) -> list[Markup]:
        """Every detector on every set."""
        details = outcome["details"]
        said = {"name": details["detector"], "asked": details["asked"]}
        if details["shipped"]:
            told = t(
                "{name} is the detector of the release, as it ships; all figures are of test and of halves of the sets "
                "that chose nothing. The model was asked for {asked} answers.", **said,
            )  # fmt: skip
        else:
            told = t(
                "{name} was chosen on dev and one half of each set of foreign texts; all figures are of test and the "
                "other halves. The model was asked for {asked} answers.", **said,
            )  # fmt: skip
        parts = [paragraph(told, "note")]
        if not details["vectors"]:
            parts.append(paragraph(t("This engine tells no vectors, so only detectors on logits were tried."), "note"))
        headers = [t("detector"), t("foreign texts"), "AUROC", "FPR@95"]
        rows = [
            [row["detector"], _set_name(row["set"]), _interval(row["auroc"]), _interval(row["fpr95"])]
            for row in details["table"]
        ]
        return [*parts, table(headers, rows)]


class _Reader:
    """What the model makes of inputs: vectors and logits where it tells them, else the probabilities it remembers."""

    def __init__(self, subject: Subject) -> None:
        self._model, self._whole = subject.model, getattr(subject.bare, "read", None)
        self.asked = 0

    def __call__(self, inputs: Sequence[Input]) -> Reading:
        self.asked += len(inputs)
        if self._whole is None:
            return Reading(self._model.scores(inputs))
        found: Reading = self._whole(inputs)
        return found

    def foreign(self, texts: Sequence[str]) -> Reading:
        """Of texts from outside."""
        return self(as_inputs(texts, pairs=self._model.task.takes_pairs))


def _refused(
    calibrated: Calibrated, false_alarms: float, test: Reading, foreign: Mapping[str, Reading]
) -> dict[str, Figure]:
    """What is refused with the threshold that dev gives."""
    limit = 1 - false_alarms - 1e-9
    refused = {name: calibrated.outside(each) >= limit for name, each in foreign.items()}
    own = calibrated.outside(test) >= limit
    found = {"false_alarms": share(int(own.sum()), len(own))}
    return found | {f"caught.{name}": share(int(each.sum()), len(each)) for name, each in refused.items()}


def _rows(subject: Subject, detector: Detector, test: Reading, foreign: Mapping[str, Reading]) -> list[Row]:
    """A detector's figures on each set and on all of them together."""
    import numpy as np

    inside = detector.scores(test)
    scores: dict[str, FloatArray] = {name: detector.scores(each) for name, each in foreign.items()}
    scores[ALL] = np.concatenate(list(scores.values()))
    return [
        {
            "detector": detector.name, "set": name, "rows": len(each), "auroc": list(auroc(inside, each)),
            "fpr95": list(let_pass(inside, each, subject.random(f"ood {detector.name} {name}"))),
        }
        for name, each in scores.items()
    ]  # fmt: skip


def _figures(rows: Sequence[Row]) -> dict[str, Figure]:
    """Those of one detector: all sets together first."""
    ordered = sorted(rows, key=lambda row: row["set"] != ALL)
    return {
        kind if row["set"] == ALL else f"{kind}.{row['set']}": _figure(row[kind], row["rows"])
        for kind in ("auroc", "fpr95")
        for row in ordered
    }


def _figure(found: Sequence[float], n: int) -> Figure:
    value, low, high = found
    return Figure(value, low, high, n)


def _findings(rows: Sequence[Row], chosen: str) -> tuple[Finding, ...]:
    """Sets of which the whole interval of every detector lies below `BLIND`: no other choice would help."""
    findings = []
    for name in dict.fromkeys(row["set"] for row in rows if row["set"] != ALL):
        on_it = {row["detector"]: row["auroc"] for row in rows if row["set"] == name}
        if max(high for _, _, high in on_it.values()) < BLIND:
            findings.append(Finding("blind", {"set": name, "detector": chosen, "auroc": on_it[chosen][0]}))
    return tuple(findings)


def _set_name(name: str) -> str:
    told = {"scrambled": t("scrambled characters"), "code": t("lines of code"), ALL: t("all sets together")}
    return told.get(name, name)


def _interval(figure: Interval | Sequence[float]) -> str:
    value, low, high = figure
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
