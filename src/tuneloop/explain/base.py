"""The contract of an explainer: what it is asked, and what it says of every word of a text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tuneloop.core.errors import DataError, ModelError
from tuneloop.core.i18n import t
from tuneloop.core.options import Options
from tuneloop.explain.target import Scale, Target, choose_target
from tuneloop.explain.units import Grain, Unit, units_of
from tuneloop.inference.inside import mended
from tuneloop.media.layout import laid_out

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import ModelHandle

EXPLAINED = ("classification", "pair", "multilabel", "regression", "pair_regression")
"""Tasks whose answers are one number for each class, or one number, of a whole text."""

ErrorKind = Literal["exact", "standard_error", "gap", "unknown"]
"""What the stated error is: nothing is estimated; the largest standard error of an attribution; by how much the
attributions do not add up to the difference of the answers; the method has none to state."""


@dataclass(frozen=True)
class Explanation:
    """What each unit of a text does to one number of the model's answer.

    Args:
        method: the explainer's name.
        text: the text as the model reads it, mended.
        pair: the second text; None where there is none.
        label: the class that is explained; empty for a number.
        scale: of which number: the probability of the class, its log-odds, or the value that is answered.
        units: stretches of the text, then of the pair, in order.
        values: what each unit adds, by `scale`, as many as units.
        base: the number where every unit is absent; None where the method compares with nothing.
        output: the number for the whole text.
        error: the stated error of the values, by `scale`; None where the method has none to state.
        error_kind: what `error` is.
        errors: a standard error for each unit; empty where nothing is drawn.
        asked: how many answers of the model it took.
        absent: what stands in place of an absent unit: "removed", or a token; empty where nothing is absent.
        explains: whether the values say why; attention, for one, does not.
        truncated: whether the model does not read the whole text.
        details: what the method adds, plain JSON.
    """

    method: str
    text: str
    pair: str | None
    label: str
    scale: Scale
    units: tuple[Unit, ...]
    values: tuple[float, ...]
    base: float | None
    output: float
    error: float | None
    error_kind: ErrorKind
    asked: int
    absent: str
    errors: tuple[float, ...] = ()
    explains: bool = True
    truncated: bool = False
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; each unit stands with its value, and its standard error where there is one."""
        plain = asdict(self)
        errors = plain.pop("errors")
        rows = [unit | {"value": value} for unit, value in zip(plain["units"], plain.pop("values"), strict=True)]
        if errors:
            rows = [row | {"error": error} for row, error in zip(rows, errors, strict=True)]
        return plain | {"units": rows}


@dataclass(frozen=True)
class Question:
    """What is to be explained.

    Args:
        item: the text, or text and pair, mended.
        units: what gets an attribution.
        target: the number that is explained.
        truncated: whether the model does not read all of it.
        together: how many neighbours were taken together as one unit, since the answers did not suffice for each.
    """

    item: Input
    units: tuple[Unit, ...]
    target: Target
    truncated: bool
    together: int = 1


class ExplainerOptions(Options):
    """Options that every explainer has."""

    unit: Grain = Field(
        "word", description="What gets an attribution: every word, phrase or character, or each modality as a whole."
    )
    scale: Literal["probability", "log_odds"] = Field(
        "probability", description="What is explained of a class: its probability, or its log-odds."
    )
    max_units: int = Field(
        100, ge=2, le=1000, description="Units of a text at most; neighbours of a longer one are taken together."
    )


class Explainer(ABC):
    """One way to tell what the parts of a text do to an answer. Its first docstring line says which."""

    name: ClassVar[str]
    Options: ClassVar[type[ExplainerOptions]] = ExplainerOptions
    explains: ClassVar[bool] = True
    """Whether what it says is a reason for the answer."""
    inside: ClassVar[bool] = False
    """Whether it looks into the torch model, so that no other engine will do."""

    def __init__(self, options: ExplainerOptions) -> None:
        self.options = options

    def refuses(self, model: ModelHandle) -> str:
        """Why it has nothing to say about this model; empty if it has."""
        if model.task.name not in EXPLAINED:
            return t(
                "The task {task} has no single number that words could be held to; known here: {known}.",
                task=model.task.name, known=", ".join(EXPLAINED),
            )  # fmt: skip
        return ""

    def explain(self, model: ModelHandle, item: Input, *, label: str | None = None, seed: int = 0) -> Explanation:
        """What each unit of one input does to the answer.

        Args:
            model: what answers; rules that change its answers are not explained.
            item: a text, or a (text, pair) tuple for a model that judges pairs.
            label: the class to explain; by default the one that the model answers with.
            seed: of random draws.

        Raises:
            ModelError: if it has nothing to say about this model.
            DataError: if there is no word in the text, or no pair where one is needed.
            ConfigError: if there is no such class.
        """
        why = self.refuses(model)
        if why:
            raise ModelError(t("{method} cannot explain this model: {why}", method=self.name, why=why))
        return self.attribute(model, self.question(model, item, label), seed=seed)

    def question(self, model: ModelHandle, item: Input, label: str | None = None) -> Question:
        """The input as the model reads it, its units and what is explained of the answer."""
        if model.task.takes_pairs != isinstance(item, tuple):
            raise DataError(
                t("This model judges pairs.") if model.task.takes_pairs else t("This model judges single texts."),
                t("Give a second text.") if model.task.takes_pairs else t("Leave the second text out."),
            )
        item = mended(model, item)
        units = units_of(item, self.options.unit, most=self.options.max_units)
        if not units:
            raise DataError(t("There is no word in the text."), t("Give a text with words."))
        (answer,) = model.predict([item])
        return Question(item, units, choose_target(model.task, answer, label, self.options.scale), answer.truncated)

    @abstractmethod
    def attribute(self, model: ModelHandle, question: Question, *, seed: int) -> Explanation:
        """The explanation; a pure function of the model, the question, the options and the seed."""

    def explanation(self, question: Question, values: Any, **found: Any) -> Explanation:
        """An `Explanation` of this explainer with `values` for the units."""
        text, pair = (question.item, None) if isinstance(question.item, str) else question.item
        text, pair = laid_out(text).shown, None if pair is None else laid_out(pair).shown
        return Explanation(
            method=self.name, text=text, pair=pair, label=question.target.label, scale=question.target.scale,
            units=question.units, values=tuple(map(float, values)), explains=self.explains,
            truncated=question.truncated, **found,
        )  # fmt: skip


def from_json(plain: Mapping[str, Any]) -> Explanation:
    """The explanation that `Explanation.to_json` has written."""
    rows = plain["units"]
    units = tuple(Unit(row["start"], row["end"], row["text"], row["part"]) for row in rows)
    values = tuple(row["value"] for row in rows)
    errors = tuple(row["error"] for row in rows if "error" in row)
    return Explanation(**{**plain, "units": units, "values": values, "errors": errors})
