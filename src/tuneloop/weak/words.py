"""Functions that look for words: a lexicon, a regular expression, a file of rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from tuneloop.knowledge.conditions import search
from tuneloop.knowledge.facts import Case
from tuneloop.knowledge.lexicon import Lexicon
from tuneloop.knowledge.rules import Rule, RuleBook
from tuneloop.weak.base import LabellingFunction

Negated = Literal["skip", "turn"]


class LexiconFunction(LabellingFunction):
    """The class whose terms weigh most in the text.

    Args:
        classes: the class of each category that counts.
        margin: by how much the weights of the first class must be ahead of those of the second.
        negated: skip leaves a negated term out; turn counts it for the other of two classes.
        otherwise: the class of a text without a term; None abstains.
    """

    kind = "lexicon"

    def __init__(
        self,
        name: str,
        place: str,
        *,
        lexicon: Lexicon,
        classes: Mapping[str, str],
        margin: float = 0.0,
        negated: Negated = "skip",
        otherwise: str | None = None,
    ) -> None:
        super().__init__(name, place)
        self.lexicon, self.classes, self.margin = lexicon, dict(classes), margin
        self.negated, self.otherwise = negated, otherwise

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.classes.values(), *([self.otherwise] if self.otherwise else [])]))

    def votes(self, texts: Sequence[str]) -> list[str | None]:
        return [self._vote(text) for text in texts]

    def _vote(self, text: str) -> str | None:
        sums = dict.fromkeys(self.classes.values(), 0.0)
        others = {label: other for label in sums for other in sums if other != label}
        found = False
        for match in self.lexicon.matches(text):
            label = self.classes.get(match.category)
            if label is None or (match.negated and self.negated == "skip"):
                continue
            found = True
            sums[others[label] if match.negated else label] += abs(match.weight)
        if not found:
            return self.otherwise
        first, second = sorted([*sums.values(), 0.0], reverse=True)[:2]
        # with one class alone there is nobody to be ahead of
        if first <= 0 or first - second < self.margin or (len(sums) > 1 and first == second):
            return None
        return max(sums, key=lambda label: sums[label])


class PatternFunction(LabellingFunction):
    """One class where a regular expression fits somewhere; capitals do not count (RE2, see `knowledge.conditions`)."""

    kind = "regex"

    def __init__(self, name: str, place: str, *, pattern: str, label: str) -> None:
        super().__init__(name, place)
        self.pattern, self.label = pattern, label

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.label,)

    def votes(self, texts: Sequence[str]) -> list[str | None]:
        return [None if search(self.pattern, text) is None else self.label for text in texts]


class RulesFunction(LabellingFunction):
    """What the first rule that holds, in the order of precedence, gives as `label`; other actions say nothing here."""

    kind = "rules"

    def __init__(self, name: str, place: str, *, book: RuleBook) -> None:
        super().__init__(name, place)
        self.book = book

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(label for rule in self.book.rules if (label := given_by(rule))))

    def votes(self, texts: Sequence[str]) -> list[str | None]:
        return [self._vote(text) for text in texts]

    def _vote(self, text: str) -> str | None:
        held = self.book.held(Case(text))
        return next((label for rule in held if (label := given_by(rule))), None)


def given_by(rule: Rule) -> str | None:
    """The one class that a rule gives; None if it does something else."""
    wanted = [action.values for action in rule.actions if action.verb == "label"]
    return wanted[0][0] if wanted and len(wanted[0]) == 1 else None
