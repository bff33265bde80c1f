"""What a rule asks of a text and of the model's answer, and what can be said of it without any text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from tuneloop.core.errors import MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.knowledge.phrases import lowered, sound

if TYPE_CHECKING:
    from tuneloop.knowledge.located import Item

Scope = Literal["text", "pair", "answer"]


@dataclass(frozen=True)
class Phrase:
    """The text says this, whatever its capitals."""

    scope: Scope
    phrase: str


@dataclass(frozen=True)
class Pattern:
    """The text fits this regular expression somewhere."""

    scope: Scope
    pattern: str


@dataclass(frozen=True)
class Entity:
    """The text names this entity of the graph, or one that has this relation to it."""

    scope: Scope
    name: str
    relation: str = ""


@dataclass(frozen=True)
class Language:
    """The text is written in this language: en, zh or other."""

    scope: Scope
    code: str


@dataclass(frozen=True)
class Answer:
    """The model gave this class, alone or among others."""

    label: str


@dataclass(frozen=True)
class Amount:
    """A number is at least `low` and below `high`.

    Args:
        what: ("lexicon", scope, category, negated), ("length", scope), ("probability", label) or ("value",).
    """

    what: tuple[str, ...]
    low: float = -math.inf
    high: float = math.inf


Atom = Phrase | Pattern | Entity | Language | Answer | Amount


@dataclass(frozen=True)
class Not:
    """What does not hold."""

    part: Condition


@dataclass(frozen=True)
class And:
    """All of these; with none it always holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    """At least one of these."""

    parts: tuple[Condition, ...]


Condition = Atom | Not | And | Or

NAMES = (
    "contains", "any", "all", "regex", "lexicon", "entity", "label", "probability", "value", "length", "language",
    "and", "or", "not", "text", "pair", "answer",
)  # fmt: skip
LANGUAGES = ("en", "zh", "other")


def parse_condition(item: Item, scope: Scope = "text") -> Condition:
    """The condition that a mapping of a rules file writes; what stands side by side must all hold.

    Raises:
        ConfigError: with file, line and rule.
    """
    parts = tuple(_part(name, each, scope) for name, each in item.mapping(NAMES).items())
    return parts[0] if len(parts) == 1 else And(parts)


def _part(name: str, item: Item, scope: Scope) -> Condition:
    if name in ("text", "pair", "answer"):
        return parse_condition(item, name)  # type: ignore[arg-type]
    if name == "not":
        return Not(parse_condition(item, scope))
    if name in ("and", "or"):
        parts = tuple(parse_condition(each, scope) for each in item.items())
        return And(parts) if name == "and" else Or(parts)
    if name in ("contains", "any"):
        return _any_of([Phrase(scope, lowered(text.strip())) for text in item.texts()])
    if name == "all":
        return And(tuple(Phrase(scope, lowered(text.strip())) for text in item.texts()))
    if name == "regex":
        return _any_of([Pattern(scope, checked_pattern(each)) for each in item.items()])
    if name == "label":
        return _any_of([Answer(text) for text in item.texts()])
    if name == "language":
        return _any_of([Language(scope, _code(each)) for each in item.items()])
    if name == "entity":
        return _any_of([_entity(each, scope) for each in item.items()])
    return _amount(name, item, scope)


def _any_of(parts: list[Any]) -> Condition:
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def _code(item: Item) -> str:
    if item.text() not in LANGUAGES:
        raise item.error(
            t("{name} is no language that can be told.", name=item.text()),
            t("Known here: {known}.", known=", ".join(LANGUAGES)),
        )
    return item.text()


def _entity(item: Item, scope: Scope) -> Entity:
    if not isinstance(item.value, dict):
        return Entity(scope, item.text())
    given = item.mapping(("relation", "to"))
    if set(given) != {"relation", "to"}:
        raise item.error(t("relation and to are both wanted here."))
    return Entity(scope, given["to"].text(), given["relation"].text())


def _amount(name: str, item: Item, scope: Scope) -> Amount:
    what: tuple[str, ...]
    if name in ("probability", "value"):
        given = item.mapping(("above", "below", "of") if name == "probability" else ("above", "below"))
        what = ("probability", given["of"].text() if "of" in given else "") if name == "probability" else ("value",)
        low = math.nextafter(given["above"].number(), math.inf) if "above" in given else -math.inf
        high = given["below"].number() if "below" in given else math.inf
        ends = {"above", "below"}
    else:
        known = ("category", "min", "max", "negated") if name == "lexicon" else ("min", "max")
        given = item.mapping(known)
        ends = {"min", "max"}
        if name == "lexicon":
            if "category" not in given:
                raise item.error(t("the category of the lexicon is missing."), t("Add it."))
            negated = "negated" in given and given["negated"].truth()
            what = ("lexicon", scope, given["category"].text(), "negated" if negated else "")
        else:
            what = ("length", scope)
        low = given["min"].whole() if "min" in given else 1 if name == "lexicon" and "max" not in given else 0
        high = given["max"].whole() + 1 if "max" in given else math.inf
    if name != "lexicon" and not ends & set(given):
        raise item.error(t("give at least one of: {names}.", names=", ".join(sorted(ends))))
    return Amount(what, low, high)


def checked_pattern(item: Item) -> str:
    """A regular expression that takes time linear in the text.

    Raises:
        ConfigError: if it cannot be read, or has lookarounds or back references, which no engine of that kind takes.
    """
    problem = pattern_error(item.text())
    if problem:
        raise item.error(
            t("the regular expression is refused: {reason}", reason=problem),
            t("Lookarounds and back references are not allowed, as a text could make them run for ever; use not."),
        )
    return item.text()


def pattern_error(pattern: str) -> str:
    """Why RE2 does not take a regular expression; empty if it does."""
    try:
        _compiled(pattern)
    except _re2().error as error:
        return str(error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else error)
    return ""


def search(pattern: str, text: str) -> str | None:
    """The first stretch of `text` that fits, or None; capitals do not count."""
    found = _compiled(pattern).search(sound(text))
    return None if found is None else str(found.group())


@cache
def _compiled(pattern: str) -> Any:
    options = _re2().Options()
    options.case_sensitive = False
    options.log_errors = False
    return _re2().compile(pattern, options=options)


def _re2() -> Any:
    try:
        import re2
    except ImportError:
        raise MissingExtraError("google-re2", "knowledge") from None
    return re2


def atoms(condition: Condition) -> Iterator[Atom]:
    """Every simple condition inside."""
    if isinstance(condition, Not):
        yield from atoms(condition.part)
    elif isinstance(condition, And | Or):
        for part in condition.parts:
            yield from atoms(part)
    else:
        yield condition
