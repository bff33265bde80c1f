"""A lexicon: terms with a category each, found in texts, with a mark on those that are denied."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tuneloop.core.hashing import hash_json
from tuneloop.knowledge.phrases import Phrases, lowered

WINDOW_WORDS = 3
"""Words before a term among which an English negation denies it."""

WINDOW_CHARACTERS = 2
"""Characters before a term among which a Chinese negation denies it."""

NEGATIONS = frozenset(["not", "no", "never", "none", "nor", "neither", "cannot", "without", "hardly"])
CHINESE_NEGATIONS = frozenset("不没無无未非")
NO_NEGATIONS = re.compile("非常|未来|不仅|不但|不只|不断|不过|不愧|无论|无比|没错|除非")
"""Words that hold the character of a negation and deny nothing."""

CLAUSE_END = re.compile(r"[.,;:!?，。；：！？、\n]")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


class Term(NamedTuple):
    """One entry: what is looked for, what it is a sign of, and how strong a sign."""

    term: str
    category: str
    weight: float = 1.0


class Match(NamedTuple):
    """A term in a text: its characters from `start` to before `end`; `negated` if the text denies it."""

    start: int
    end: int
    term: str
    category: str
    weight: float
    negated: bool


@dataclass(frozen=True)
class Conflict:
    """A term that stands in several categories, or in one with several weights."""

    term: str
    entries: tuple[tuple[str, float], ...]


class Lexicon:
    """Terms of one or more files, ready to be found.

    English terms are found between word borders, Chinese ones anywhere; of terms that begin together the longest is
    taken, and what lies inside a taken one is left. A term of several categories is one match for each.

    Args:
        entries: the terms; an equal one counts once, and of two weights the first counts.
        case_sensitive: whether capitals count.
        name: for tables and errors.
        source: the file or `pkg:` source that it was read from.
        licence: what its package says.

    Raises:
        MissingExtraError: if the automaton's package is not installed.
    """

    def __init__(
        self,
        entries: Sequence[Term],
        *,
        case_sensitive: bool = False,
        name: str = "lexicon",
        source: str = "",
        licence: str = "",
    ) -> None:
        self.entries = tuple(dict.fromkeys(entries))
        self.case_sensitive = case_sensitive
        self.name, self.source, self.licence = name, source, licence
        self._by_form: dict[str, dict[str, Term]] = defaultdict(dict)
        for entry in self.entries:
            self._by_form[self._form(entry.term)].setdefault(entry.category, entry)
        self._forms = list(self._by_form)
        self._phrases = Phrases(self._forms, case_sensitive=case_sensitive)

    def __len__(self) -> int:
        return len(self._forms)

    @property
    def categories(self) -> dict[str, int]:
        """Each category with the number of its terms."""
        return dict(sorted(Counter(category for terms in self._by_form.values() for category in terms).items()))

    @cached_property
    def identity(self) -> str:
        """A hash of the terms and of how they are found."""
        return hash_json([sorted(map(list, self.entries)), self.case_sensitive])

    @property
    def conflicts(self) -> list[Conflict]:
        """Terms that stand in several categories, or in one with several weights, by term."""
        found: dict[str, set[tuple[str, float]]] = defaultdict(set)
        for entry in self.entries:
            found[self._form(entry.term)].add((entry.category, entry.weight))
        return [Conflict(term, tuple(sorted(entries))) for term, entries in sorted(found.items()) if len(entries) > 1]

    def matches(self, text: str) -> list[Match]:
        """Every term in `text`, from left to right."""
        found = []
        for hit in self._phrases.longest(text):
            negated = is_negated(text, hit.start)
            for entry in self._by_form[self._forms[hit.number]].values():
                found.append(Match(hit.start, hit.end, entry.term, entry.category, entry.weight, negated))
        return found

    def _form(self, term: str) -> str:
        return term if self.case_sensitive else lowered(term)


def is_negated(text: str, start: int) -> bool:
    """Whether a negation stands shortly before the character `start`, in the same clause.

    English: one of the three words before it is a negation or ends with n't. Chinese: one of the two characters is.
    """
    clause = CLAUSE_END.split(text[max(0, start - 60) : start])[-1]
    if CHINESE_NEGATIONS & set(NO_NEGATIONS.sub("", clause)[-WINDOW_CHARACTERS:]):
        return True
    words = WORD.findall(clause.lower())[-WINDOW_WORDS:]
    return any(word in NEGATIONS or word.replace("’", "'").endswith("n't") for word in words)
