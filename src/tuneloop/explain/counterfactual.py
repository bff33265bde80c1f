"""Counterfactual edits: the fewest changed words with which the answer is another one.

Source: Wachter, Mittelstadt and Russell (2017); in texts: Ross, Marasovic and Peters, "Explaining NLP Models via
Minimal Contrastive Editing" (2021). Here by beam search over words that the training texts know, not by a second model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuneloop.core.errors import ConfigError, DataError, ModelError
from tuneloop.core.i18n import t
from tuneloop.core.options import Options
from tuneloop.explain.edits import Edit, edited, edits_of
from tuneloop.explain.opposites import find_opposites
from tuneloop.explain.target import choose_target
from tuneloop.explain.units import Unit, units_of
from tuneloop.explain.wording import Wording, bare

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import ModelHandle

TASKS = ("classification", "pair")
PORTION = 256
"""Texts that the model is asked for at a time."""
ALIKE = 2
"""Results at most that change the same words."""


class CounterfactualOptions(Options):
    """Options of the search."""

    budget: int = Field(2000, ge=10, le=100_000, description="Answers of the model at most.")
    most_edits: int = Field(3, ge=1, le=5, description="Words that may be changed at most.")
    candidates: int = Field(12, ge=1, le=200, description="Words of the training texts tried in one place at most.")
    beam: int = Field(10, ge=1, le=100, description="Changed texts of one length that are changed further.")
    results: int = Field(5, ge=1, le=50, description="Results at most.")


@dataclass(frozen=True)
class Counterfactual:
    """One change with which the answer is another.

    Args:
        edits: the changed words, from left to right; without any one of them the answer stays.
        item: the changed input.
        answer: what the model answers then.
        probability: of that answer.
        plausibility: by how much the mean log-probability of a word behind the one before it rises with the change,
            by counts of the training texts; below 0 the text is less usual than before.
    """

    edits: tuple[Edit, ...]
    item: Input
    answer: str
    probability: float
    plausibility: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        item = self.item if isinstance(self.item, str) else list(self.item)
        return {
            "edits": [edit.to_json() for edit in self.edits], "item": item, "answer": self.answer,
            "probability": self.probability, "plausibility": self.plausibility,
        }  # fmt: skip


@dataclass(frozen=True)
class Counterfactuals:
    """What the search found.

    Args:
        item: the input, mended.
        answer: the model's.
        probability: of it.
        wanted: the class that was looked for; empty for any other.
        found: all with the same number of edits, the most plausible first; empty if none was found.
        asked: answers of the model that it took.
        budget: those it could have taken.
        smaller_all_asked: whether all smaller changes that are tried were asked for, so that none of them does it.
    """

    item: Input
    answer: str
    probability: float
    wanted: str
    found: tuple[Counterfactual, ...]
    asked: int
    budget: int
    smaller_all_asked: bool

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "item": self.item if isinstance(self.item, str) else list(self.item), "answer": self.answer,
            "probability": self.probability, "wanted": self.wanted, "found": [each.to_json() for each in self.found],
            "ranked_by": "plausibility", "asked": self.asked, "budget": self.budget,
            "smaller_all_asked": self.smaller_all_asked,
        }  # fmt: skip


class OutOfBudget(Exception):
    """No more answers may be asked for."""


class _Search:
    """Answers to changed texts, each asked for once, until the budget is spent."""

    def __init__(self, model: ModelHandle, item: Input, units: Sequence[Unit], wanted: str, budget: int) -> None:
        self.model, self.item, self.units, self.budget = model, item, units, budget
        self.labels = model.task.labels
        self.known: dict[Input, Any] = {}
        self.ask([item])
        self.original = self.answer(item)
        self.wanted = wanted

    @property
    def asked(self) -> int:
        return len(self.known)

    def ask(self, items: Sequence[Input]) -> None:
        """Learn the answers to these.

        Raises:
            OutOfBudget: when some of them could not be asked for.
        """
        new = [item for item in dict.fromkeys(items) if item not in self.known]
        for start in range(0, len(new), PORTION):
            part = new[start : start + min(PORTION, self.budget - self.asked)]
            if part:
                self.known |= dict(zip(part, np.asarray(self.model.scores(part), np.float64), strict=True))
            if self.asked >= self.budget and start + len(part) < len(new):
                raise OutOfBudget

    def answer(self, item: Input) -> str:
        return str(self.model.task.decide(np.asarray(self.known[item], np.float32)[None])[0])

    def reached(self, edits: Sequence[Edit]) -> bool:
        """Whether the change is known to lead where it should."""
        item = self.changed(edits)
        if item not in self.known:
            return False
        answer = self.answer(item)
        return answer == self.wanted if self.wanted else answer != self.original

    def gain(self, edits: Sequence[Edit]) -> float:
        """How near a change that was asked for comes."""
        scores = self.known[self.changed(edits)]
        if self.wanted:
            return float(scores[self.labels.index(self.wanted)])
        return -float(scores[self.labels.index(self.original)])

    def changed(self, edits: Sequence[Edit]) -> Input:
        return edited(self.item, self.units, edits)


def counterfactuals(
    model: ModelHandle,
    item: Input,
    *,
    wording: Wording,
    label: str | None = None,
    options: CounterfactualOptions | None = None,
) -> Counterfactuals:
    """The fewest changed words with which the model answers something else.

    All changes of one word are tried; of the texts that come nearest, all changes of a second word, and of a third.
    The search ends with the first number of words that suffices.

    Args:
        model: what answers; rules that change its answers are not looked at.
        item: a text, or (text, pair).
        wording: of the training texts: see `learn_wording`.
        label: the class that is wanted; any other one by default.
        options: of the search.

    Raises:
        ModelError: if the model does not answer with one class for a text.
        DataError: if there is no word in the text.
        ConfigError: if there is no such class, or the model answers with it already.
    """
    options = options or CounterfactualOptions.model_validate({})
    if model.task.name not in TASKS:
        raise ModelError(
            t("Counterfactual edits need a model that answers with one class; this one has the task {task}.",
              task=model.task.name), ""
        )  # fmt: skip
    mended = getattr(model, "mended", None)
    item = item if mended is None else mended([item])[0]
    units = units_of(item)
    if not units:
        raise DataError(t("There is no word in the text."), t("Give a text with words."))
    if label is not None:
        choose_target(model.task, model.predict([item])[0], label, "probability")  # refuses an unknown class
    search = _Search(model, item, units, label or "", options.budget)
    if label == search.original:
        raise ConfigError(
            t("The model answers {label!r} already.", label=label), t("Leave the target out, or name another class.")
        )
    found, complete = _find(search, _edits(search, wording, options), options)
    ranked = sorted((_result(search, each, wording) for each in found), key=lambda each: -each.plausibility)
    return Counterfactuals(
        item=item, answer=search.original, probability=_probability(search, item), wanted=label or "",
        found=tuple(islice(_varied(ranked), options.results)), asked=search.asked, budget=options.budget,
        smaller_all_asked=complete,
    )  # fmt: skip


def _edits(search: _Search, wording: Wording, options: CounterfactualOptions) -> list[Edit]:
    """Single edits; any class but the answer leans away from the answer."""
    leaning = wording.leaning(search.wanted or search.original)
    if not search.wanted:
        leaning = {word: -value for word, value in leaning.items()}
    return edits_of(search.units, wording, leaning, find_opposites(), each=options.candidates)


def _find(search: _Search, singles: list[Edit], options: CounterfactualOptions) -> tuple[list[tuple[Edit, ...]], bool]:
    """Changes of the least size that suffices, and whether all smaller ones that are tried were asked for."""
    layer: list[tuple[Edit, ...]] = [(edit,) for edit in singles]
    ranked, complete = singles, True
    for size in range(1, options.most_edits + 1):
        spent = False
        try:
            search.ask([search.changed(edits) for edits in layer])
        except OutOfBudget:
            spent = True
        found = [edits for edits in layer if search.reached(edits)]
        if found:
            return _minimal(search, found), complete
        complete = complete and size == 1 and not spent
        if spent:
            break
        layer.sort(key=search.gain, reverse=True)
        if size == 1:
            ranked = [edits[0] for edits in layer]
        layer = list(_grown(layer[: options.beam], ranked))
    return [], complete


def _grown(beam: Sequence[tuple[Edit, ...]], singles: Sequence[Edit]) -> Iterator[tuple[Edit, ...]]:
    """Every way to change one more word; the best single edits come first, as the budget may end."""
    known = set()
    for edit in singles:
        for edits in beam:
            if all(edit.unit != other.unit for other in edits):
                grown = tuple(sorted([*edits, edit], key=lambda each: each.unit))
                if grown not in known:
                    known.add(grown)
                    yield grown


def _minimal(search: _Search, found: list[tuple[Edit, ...]]) -> list[tuple[Edit, ...]]:
    """The changes without those of which a part suffices; that part, if there is one, stands for them."""
    size = len(found[0])
    if size < 3:  # all single edits were asked for before
        return found
    parts = {edits: list(combinations(edits, size - 1)) for edits in found}
    with suppress(OutOfBudget):  # what was not asked for is not known to suffice
        search.ask([search.changed(part) for several in parts.values() for part in several])
    smaller = dict.fromkeys(part for several in parts.values() for part in several if search.reached(part))
    return list(smaller) or found


def _result(search: _Search, edits: tuple[Edit, ...], wording: Wording) -> Counterfactual:
    item = search.changed(edits)
    return Counterfactual(
        edits, item, search.answer(item), _probability(search, item),
        _usual(item, wording) - _usual(search.item, wording),
    )  # fmt: skip


def _usual(item: Input, wording: Wording) -> float:
    texts = (item,) if isinstance(item, str) else item
    return sum(wording.score([word for unit in units_of(text) if (word := bare(unit.text))]) for text in texts)


def _probability(search: _Search, item: Input) -> float:
    return float(search.known[item][search.labels.index(search.answer(item))])


def _varied(ranked: Sequence[Counterfactual]) -> Iterator[Counterfactual]:
    """At most `ALIKE` that change the same words."""
    seen: Counter[tuple[int, ...]] = Counter()
    for each in ranked:
        places = tuple(edit.unit for edit in each.edits)
        seen[places] += 1
        if seen[places] <= ALIKE:
            yield each


def sentences(found: Counterfactuals) -> list[str]:
    """What was found, in the language in force."""
    said = [t("The model answers {answer} ({probability:.3f}).", answer=found.answer, probability=found.probability)]
    for each in found.found:
        changes = "; ".join(_change(edit) for edit in each.edits)
        said.append(
            t("{changes}: then it answers {answer} ({probability:.3f}).",
              changes=changes, answer=each.answer, probability=each.probability)
        )  # fmt: skip
    if not found.found:
        said.append(t("No such change was found with {asked} answers of the model.", asked=found.asked))
    else:
        said.append(
            t("{asked} answers of the model were needed; the change that is most usual in training texts comes first.",
              asked=found.asked)
        )  # fmt: skip
    return said


def _change(edit: Edit) -> str:
    if not edit.after:
        return t("delete {word!r}", word=edit.before)
    return t("change {before!r} to {after!r}", before=edit.before, after=edit.after)
