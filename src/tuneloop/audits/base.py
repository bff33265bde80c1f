"""The contract of an audit: what it is given, what it finds, how it says so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from tuneloop.core.options import Options
from tuneloop.data.examples import Examples

if TYPE_CHECKING:
    from markupsafe import Markup

    from tuneloop.evaluation.predictions import Predictions
    from tuneloop.tasks.base import ModelHandle, Task

Better = Literal["lower", "higher"]
Severity = Literal["alarm", "note"]
Tell = Callable[[str], None]
"""What an audit calls with a few words on how far it is."""


@dataclass(frozen=True)
class Subject:
    """What is audited.

    Args:
        name: of the run or release.
        model: what answers, rules included; equal inputs are computed once, in this audit and in the next.
        bare: the same without memory of earlier answers, for timing.
        train: what the model learnt from.
        dev: what its weights were chosen by; audits choose settings here.
        test: what it has never seen, `rows` of the configuration at most.
        whole_test: all of it.
        seed: of every random choice.
        folder: the model's folder; None for a foreign model.
        earlier: test splits of earlier releases of the same name, by the release.
        earlier_answers: what those releases answered to them, where it is kept.
    """

    name: str
    model: ModelHandle
    bare: ModelHandle
    train: Examples
    dev: Examples
    test: Examples
    whole_test: Examples
    seed: int = 0
    folder: Path | None = None
    earlier: Mapping[str, Examples] = field(default_factory=dict)
    earlier_answers: Mapping[str, Predictions] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """The model's task."""
        return self.model.task

    def random(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that one audit never moves the draws of another."""
        return np.random.default_rng([self.seed, *purpose.encode()])


@dataclass(frozen=True)
class Figure:
    """A number that an audit measured.

    Args:
        value: the number; None where nothing could be measured.
        low: lower bound of the 95 % interval; None where there is none.
        high: upper bound.
        n: on how many cases it rests; 0 where that means nothing.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


def share(count: int, n: int) -> Figure:
    """A share with the interval of Wilson, "Probable inference, the law of succession" (1927)."""
    if not n:
        return Figure(None)
    from scipy.stats import binomtest

    bounds = binomtest(count, n).proportion_ci(method="wilson")
    return Figure(count / n, float(bounds.low), float(bounds.high), n)


RESAMPLES = 1000
"""Bootstrap resamples behind an interval, where an audit does not say otherwise."""


def redrawn(rows: int, random: np.random.Generator, *, resamples: int = RESAMPLES) -> Any:
    """Numbers of rows as they are drawn again for a bootstrap, (resamples, rows)."""
    return random.integers(0, rows, (resamples, rows))


def mean_figure(values: Any, drawn: Any) -> Figure:
    """A mean over rows, (rows,), with its 95 % percentile bootstrap interval; see `redrawn`."""
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    return Figure(float(values.mean()), float(low), float(high), len(values))


def rows_of(rows: Examples, most: int, random: np.random.Generator) -> Examples:
    """All rows, or so many of them, in their order."""
    if len(rows) <= most:
        return rows
    return rows.select(sorted(random.choice(len(rows), most, replace=False).tolist()))


def figure_name(name: str, titles: Mapping[str, str], shown: Callable[[str], str] = str) -> str:
    """What a figure with a dot is called: the title of what stands before it, and what stands behind as it is shown."""
    kind, _, tail = name.partition(".")
    return f"{titles[kind]}: {shown(tail)}" if tail else titles[kind]


@dataclass(frozen=True)
class Finding:
    """Something that a person must look at.

    Args:
        kind: one of the audit's `findings`.
        fields: what was found and where, plain JSON: tokens, terms, rows.
    """

    kind: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What an audit found.

    Args:
        figures: by name; a name is one of the audit's `figures`, or begins with one and a dot.
        findings: those that matter most first.
        details: what the audit's own part of the page shows, plain JSON.
        looked_for: the kinds of findings that could have been found; None says all of the audit's. A kind that is
            not among them is not known to be absent, so a gate that forbids it is not passed.
    """

    figures: dict[str, Figure]
    findings: tuple[Finding, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    looked_for: tuple[str, ...] | None = None


class AuditOptions(Options):
    """Options that every audit has: none yet."""


class Audit(ABC):
    """One question to a model, answered with figures and findings. Its first docstring line says which question.

    Nothing of an outcome is in a language: sentences are made of its JSON by the class methods, when somebody reads.
    """

    name: ClassVar[str]
    Options: ClassVar[type[AuditOptions]] = AuditOptions
    figures: ClassVar[Mapping[str, Better]]
    """Names, and whether lower or higher is better."""
    findings: ClassVar[Mapping[str, Severity]] = {}
    """Kinds of findings, and whether one is an alarm or only worth a note."""

    reads_texts: ClassVar[bool] = True
    """Whether it looks into texts or changes them, so that rows of several modalities are nothing for it."""

    def __init__(self, options: AuditOptions) -> None:
        self.options = options

    def refuses(self, subject: Subject) -> str:
        """Why it has nothing to say about this subject; empty if it has."""
        return ""

    def check(self, subject: Subject) -> None:
        """Look for settings that do not go with the subject; of all audits, before the first one runs.

        Raises:
            ConfigError: naming the setting.
        """

    @abstractmethod
    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Ask the model; a pure function of the subject and the options, but for what is timed."""

    @classmethod
    @abstractmethod
    def title(cls) -> str:
        """Its heading, in the language in force."""

    @classmethod
    @abstractmethod
    def figure_title(cls, name: str) -> str:
        """What one of its figures is called, in the language in force."""

    @classmethod
    def figure_text(cls, name: str, value: float) -> str:
        """A figure's number as it is read."""
        return f"{value:.3f}"

    @classmethod
    def sentence(cls, kind: str, fields: Mapping[str, Any]) -> str:
        """A finding in words, in the language in force."""
        raise NotImplementedError

    @classmethod
    def parts(cls, outcome: Mapping[str, Any]) -> list[Markup]:
        """What the page shows below figures and findings, made of the outcome's JSON."""
        return []

    @classmethod
    def better(cls, figure: str) -> Better | None:
        """Whether lower or higher is better of a figure; None if the audit has none of this name."""
        return next((way for name, way in cls.figures.items() if figure == name or figure.startswith(f"{name}.")), None)

    @classmethod
    def knows(cls, figure: str) -> bool:
        """Whether it could measure a figure with a dot, as far as can be told before it runs."""
        return True
