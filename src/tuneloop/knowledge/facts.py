"""What is found in one text, each thing looked for once, whatever the number of rules that ask for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tuneloop.data.text_statistics import HAN, LETTER
from tuneloop.knowledge.conditions import (
    Amount,
    And,
    Answer,
    Atom,
    Condition,
    Entity,
    Language,
    Not,
    Or,
    Pattern,
    Phrase,
    Scope,
    search,
)
from tuneloop.knowledge.reasons import Value

if TYPE_CHECKING:
    from tuneloop.knowledge.graph import Graph
    from tuneloop.knowledge.lexicon import Lexicon, Match
    from tuneloop.knowledge.phrases import Phrases

CHINESE_SHARE = 0.3
"""Share of Chinese characters among the letters from which a text counts as Chinese."""


@dataclass(frozen=True)
class Case:
    """One input with the model's answer.

    Args:
        text: what was judged, or the prompt.
        pair: the second text.
        answer: the class, classes, number or written text; None where no model was asked.
        probabilities: of each class.
    """

    text: str
    pair: str = ""
    answer: Value | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)

    def part(self, scope: Scope) -> str:
        """One of its texts."""
        return {"text": self.text, "pair": self.pair, "answer": str(self.answer or "")}[scope]


class Facts:
    """Whether conditions hold of a case.

    Args:
        case: the case.
        phrases: an automaton over `names`.
        names: all phrases that rules look for.
        lexicons: whose terms are counted.
        graph: whose entities are looked for.
    """

    def __init__(
        self, case: Case, *, phrases: Phrases, names: Sequence[str], lexicons: Sequence[Lexicon], graph: Graph | None
    ) -> None:
        self.case = case
        self._automaton, self._names, self._lexicons, self._graph = phrases, names, lexicons, graph
        self._phrases: dict[Scope, dict[str, str]] = {}
        self._terms: dict[Scope, dict[tuple[str, bool], list[str]]] = {}

    def hold(self, condition: Condition) -> bool:
        """Whether a condition holds."""
        if isinstance(condition, Not):
            return not self.hold(condition.part)
        if isinstance(condition, And):
            return all(map(self.hold, condition.parts))
        if isinstance(condition, Or):
            return any(map(self.hold, condition.parts))
        return self._stretch(condition) is not None

    def stretch(self, condition: Condition) -> str:
        """The first stretch of the text that makes a condition hold; empty where none does."""
        if isinstance(condition, Not):
            return ""
        if isinstance(condition, And | Or):
            return next(filter(None, map(self.stretch, condition.parts)), "")
        return self._stretch(condition) or ""

    def _stretch(self, atom: Atom) -> str | None:
        """What makes a simple condition hold, empty if nothing in the text does; None if it does not hold."""
        if isinstance(atom, Phrase):
            return self._said(atom.scope).get(atom.phrase)
        if isinstance(atom, Pattern):
            return search(atom.pattern, self.case.part(atom.scope))
        if isinstance(atom, Amount):
            return self._amount(atom)
        if isinstance(atom, Entity):
            return self._entity(atom)
        if isinstance(atom, Language):
            return "" if language_of(self.case.part(atom.scope)) == atom.code else None
        return "" if self._gave(atom) else None

    def _gave(self, atom: Answer) -> bool:
        answer = self.case.answer
        return atom.label in answer if isinstance(answer, tuple) else atom.label == answer

    def _amount(self, atom: Amount) -> str | None:
        found: list[str] = []
        if atom.what[0] == "lexicon":
            _, scope, category, negated = atom.what
            found = self._counted(scope).get((category, bool(negated)), [])  # type: ignore[arg-type]
            number: float = len(found)
        elif atom.what[0] == "length":
            number = len(self.case.part(atom.what[1]))  # type: ignore[arg-type]
        elif atom.what[0] == "value":
            if not isinstance(self.case.answer, float):
                return None
            number = self.case.answer
        else:
            known = self.case.probabilities
            if not known:
                return None
            number = known.get(atom.what[1], 0.0) if atom.what[1] else max(known.values())
        return (found[0] if found else "") if atom.low <= number < atom.high else None

    def _said(self, scope: Scope) -> dict[str, str]:
        """Each phrase that the text says, and how it is written there."""
        if scope not in self._phrases:
            text = self.case.part(scope)
            hits = self._automaton.all(text)
            self._phrases[scope] = {self._names[hit.number]: text[hit.start : hit.end] for hit in reversed(hits)}
        return self._phrases[scope]

    def _counted(self, scope: Scope) -> dict[tuple[str, bool], list[str]]:
        """The stretches with terms of each category, apart those that are denied."""
        if scope not in self._terms:
            text, found = self.case.part(scope), defaultdict(list)
            for match in self._matches(scope):
                found[match.category, match.negated].append(text[match.start : match.end])
            self._terms[scope] = dict(found)
        return self._terms[scope]

    def _matches(self, scope: Scope) -> list[Match]:
        text = self.case.part(scope)
        return [match for lexicon in self._lexicons for match in lexicon.matches(text)]

    def _entity(self, atom: Entity) -> str | None:
        for link in self._links[atom.scope]:
            if self._graph is not None and self._graph.fits(link.entity, atom.name, atom.relation):
                return str(link.name)
        return None

    @cached_property
    def _links(self) -> dict[Scope, list[Any]]:
        scopes: tuple[Scope, ...] = ("text", "pair", "answer")
        return {scope: self._graph.link(self.case.part(scope)) if self._graph else [] for scope in scopes}


def language_of(text: str) -> str:
    """zh where much of it is Chinese characters, en where its letters are of ASCII, else other."""
    letters = LETTER.findall(text)
    if not letters:
        return "other"
    chinese = sum(HAN.match(letter) is not None for letter in letters)
    if chinese >= CHINESE_SHARE * len(letters):
        return "zh"
    return "en" if Counter(map(str.isascii, letters)).most_common(1)[0][0] else "other"
