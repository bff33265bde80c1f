"""Whether explanations of a model's answers can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from markupsafe import Markup
from pydantic import Field

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
from tuneloop.core.errors import MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.core.page import paragraph, table
from tuneloop.explain import create_explainer
from tuneloop.explain.base import EXPLAINED, Explainer
from tuneloop.explain.checking import RANDOM, Row, Versus, agreement, look, spread, versus_random
from tuneloop.explain.faithfulness import MEASURES
from tuneloop.inference.inside import ENGINE

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle

TESTED = ("comprehensiveness", "sufficiency")
"""Measures by which explainers are held to the random one; the curves, which say much the same, stand beside them."""
LEVEL = 0.05
LEAST_ROWS = 5
SHORT_WAY: dict[str, Any] = {"steps": 16, "most_steps": 32}
"""Of integrated gradients, which take long: the order of the words is settled before the sums are."""

Explainers = dict[str, tuple[Explainer, "ModelHandle"]]
"""By name, each with the handle that it looks at."""


class ExplanationsOptions(AuditOptions):
    """Options of the audit of explanations."""

    rows: int = Field(20, ge=LEAST_ROWS, description="Test rows whose answers are explained, at most.")
    answers: int = Field(256, ge=64, description="Answers of the model that the Shapley values of a row may take.")
    methods: tuple[str, ...] = Field(
        ("shapley", "occlusion", "integrated_gradients", "gradient_x_input", "attention_rollout"),
        min_length=1,
        description="Explainers to check; those that cannot look at this model are left out.",
    )


class Explanations(Audit):
    """Do explanations name the words that the model goes by, better than chance, and do methods agree?"""

    name = "explanations"
    Options = ExplanationsOptions
    options: ExplanationsOptions
    figures: ClassVar[Mapping[str, Better]] = {
        "comprehensiveness": "higher",
        "sufficiency": "lower",
        "correlation": "higher",
        "overlap": "higher",
    }
    findings: ClassVar[Mapping[str, Severity]] = {"misleading": "alarm", "unproven": "note"}

    def refuses(self, subject: Subject) -> str:
        """Why it has nothing to say about this subject; empty if it has."""
        if subject.task.name not in EXPLAINED:
            return t("Explainers of words do not go with the task {task}.", task=subject.task.name)
        return ""

    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Explain some rows with every method and hold the methods to a random one."""
        with ExitStack() as stack:
            explainers, left_out = self._explainers(subject, stack)
            rows = self._rows(subject, explainers, tell) if explainers else []
        details = {"left_out": left_out, "asked": sum(row.asked for row in rows), "rows": len(rows), "versus": []}
        if len(rows) < LEAST_ROWS:
            return Outcome({}, details=details, looked_for=())
        names, seed = list(explainers), subject.seed
        found = {(name, each): versus_random(rows, name, each, seed=seed) for name in names for each in MEASURES}
        details["versus"] = [{"method": name, "measure": each} | asdict(v) for (name, each), v in found.items()]
        figures = _faithful(rows, [*names, RANDOM], seed)
        figures |= _agreeing(rows, [name for name in names if explainers[name][0].explains], seed)
        return Outcome(figures, tuple(_findings({n: e for n, (e, _) in explainers.items()}, found)), details)

    def _explainers(self, subject: Subject, stack: ExitStack) -> tuple[Explainers, dict[str, str]]:
        """The methods with what each looks at, and why others are left out."""
        found: Explainers = {}
        left_out: dict[str, str] = {}
        torch_model: ModelHandle | None = None
        for name in self.options.methods:
            explainer = create_explainer(name, self._settings(name))
            handle = subject.model
            if explainer.inside:
                torch_model = torch_model or _torch_model(subject, stack)
                handle = torch_model
            why = explainer.refuses(handle) or _missing(explainer)
            if why:
                left_out[name] = why
            else:
                found[name] = (explainer, handle)
        return found, left_out

    def _settings(self, name: str) -> dict[str, Any]:
        """Options of an explainer that keep the audit short."""
        settings: dict[str, dict[str, Any]] = {
            "shapley": {"answers": self.options.answers, "max_error": 0.0},
            "integrated_gradients": SHORT_WAY,
        }
        return settings.get(name, {})

    def _rows(self, subject: Subject, explainers: Explainers, tell: Tell) -> list[Row]:
        rows: list[Row] = []
        inputs = subject.test.inputs
        for place in subject.random(self.name).permutation(len(inputs)).tolist():
            if len(rows) == self.options.rows:
                break
            tell(t("{done} of {rows} rows", done=len(rows), rows=self.options.rows))
            row = look(explainers, subject.model, inputs[place], seed=subject.seed, row=place)
            rows += [row] if row is not None else []
        return rows

    @classmethod
    def title(cls) -> str:
        """Its heading."""
        return t("Explanations")

    @classmethod
    def figure_title(cls, name: str) -> str:
        """What a figure is called."""
        titles = {
            "comprehensiveness": t("what the answer loses without the words that are named"),
            "sufficiency": t("what the answer lacks with these words alone"),
            "correlation": t("rank correlation of two methods"),
            "overlap": t("weightiest words that two methods share"),
        }
        return figure_name(name, titles, lambda methods: methods.replace("-", ", "))

    @classmethod
    def sentence(cls, kind: str, fields: Mapping[str, Any]) -> str:
        """A finding in words."""
        if kind == "misleading":
            return t(
                "Words that {method} names matter less than random ones ({measure}: {gain:+.3f}, p = {p:.2g}): do not "
                "use it to explain this model.",
                **fields,
            )
        return t("On these rows {method} cannot be told from naming words at random.", **fields)

    @classmethod
    def parts(cls, outcome: Mapping[str, Any]) -> list[Markup]:
        """Every method beside the random one, and what was left out."""
        details = outcome["details"]
        rows = [
            [
                each["method"],
                each["measure"],
                each["gain"],
                f"{each['low']:+.3f} … {each['high']:+.3f}",
                f"{each['p']:.2g}",
            ]
            for each in details["versus"]
        ]
        headers = [t("method"), t("measure"), t("better than random by"), t("95 % interval"), "p"]
        parts = [table(headers, rows)] if rows else [paragraph(t("Too few rows with enough words."), "note")]
        parts += [
            paragraph(t("{method} was left out: {why}", method=name, why=why), "note")
            for name, why in details["left_out"].items()
        ]
        parts.append(paragraph(t("{asked} answers of the model were needed.", asked=details["asked"]), "note"))
        return parts


def _faithful(rows: list[Row], names: list[str], seed: int) -> dict[str, Figure]:
    figures = {}
    for measure in TESTED:
        for name in names:
            values = np.array([row.measures[name][measure] for row in rows])
            figures[f"{measure}.{name}"] = _mean(values, seed)
    return figures


def _agreeing(rows: list[Row], names: list[str], seed: int) -> dict[str, Figure]:
    return {
        f"{way}.{one}-{other}": _mean(values, seed)
        for (one, other), ways in agreement(rows, names).items()
        for way, values in ways.items()
        if len(values)
    }


def _mean(values: np.ndarray[Any, np.dtype[np.float64]], seed: int) -> Figure:
    return Figure(float(values.mean()), *spread(values, seed=seed), n=len(values))


def _findings(explainers: Mapping[str, Explainer], found: Mapping[tuple[str, str], Versus]) -> list[Finding]:
    """Explanations that are worse than random ones, then those that cannot be told from them, corrected for all."""
    tests = [(name, measure) for name, each in explainers.items() if each.explains for measure in TESTED]
    ps = dict(zip(tests, holm([found[test].p for test in tests]).tolist(), strict=True))
    worse = [
        Finding("misleading", {"method": name, "measure": measure, "gain": found[name, measure].gain, "p": p})
        for (name, measure), p in ps.items()
        if p < LEVEL and found[name, measure].gain < 0
    ]
    clear = {name for (name, _), p in ps.items() if p < LEVEL}
    unclear = [name for name, each in explainers.items() if each.explains and name not in clear]
    return worse + [Finding("unproven", {"method": name}) for name in unclear]


def _torch_model(subject: Subject, stack: ExitStack) -> ModelHandle:
    """The model in torch, opened once, where its folder is at hand; else what answers."""
    from tuneloop.inference.inside import look_inside
    from tuneloop.inference.predictor import open_predictor

    if subject.folder is None or look_inside(subject.model) is not None:
        return subject.model
    return stack.enter_context(closing(open_predictor(subject.folder, engine=ENGINE)))


def _missing(explainer: Explainer) -> str:
    """What is not installed that it needs."""
    if not explainer.inside or explainer.name == "attention_rollout" or find_spec("captum") is not None:
        return ""
    error = MissingExtraError("captum", "explain")
    return f"{error.problem} {error.hint}"
