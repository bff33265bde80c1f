"""What can be told of conditions without any text: whether one can hold at all, and whether one implies another.

A condition is brought into disjunctive normal form, and each of its conjunctions is searched for a contradiction:
between numbers, between classes, between a phrase and a part of it, or between a thing and its denial. Regular
expressions and entities are taken as they are, so a condition that cannot hold may pass as one that can, but never the
other way round: what is called impossible is impossible.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from itertools import product

from tuneloop.knowledge.conditions import Amount, And, Answer, Atom, Condition, Language, Not, Or, Phrase
from tuneloop.knowledge.phrases import says

MOST_CONJUNCTIONS = 4096
"""Conjunctions beyond which a condition passes as one that can hold."""

Literal = tuple[Atom, bool]
"""A simple condition that holds, or does not."""


class TooManyError(Exception):
    """A condition has more conjunctions than can be looked at."""


def can_hold(
    condition: Condition, *, one_class: bool = False, labels: Collection[str] = (), lacking: Collection[str] = ()
) -> bool:
    """False only if no text and no answer can make the condition hold.

    Args:
        one_class: whether the model gives exactly one class.
        labels: all classes it knows; empty if that is not known.
        lacking: kinds of numbers that it does not give, "probability" or "value": no condition on them holds.
    """
    try:
        return any(_consistent(each, one_class, labels) for each in _conjunctions(condition, True, lacking))
    except TooManyError:
        return True


def implies(
    first: Condition,
    second: Condition,
    *,
    one_class: bool = False,
    labels: Collection[str] = (),
    lacking: Collection[str] = (),
) -> bool:
    """True only if the second condition holds wherever the first does; see `can_hold`."""
    return not can_hold(And((first, Not(second))), one_class=one_class, labels=labels, lacking=lacking)


def _conjunctions(condition: Condition, wanted: bool, lacking: Collection[str]) -> list[frozenset[Literal]]:
    """The condition, or its denial, as conjunctions of which one must hold."""
    if isinstance(condition, Not):
        return _conjunctions(condition.part, not wanted, lacking)
    if isinstance(condition, And | Or):
        parts = [_conjunctions(part, wanted, lacking) for part in condition.parts]
        if isinstance(condition, Or) == wanted:
            found = [each for part in parts for each in part]
        else:
            if math.prod(map(len, parts)) > MOST_CONJUNCTIONS:
                raise TooManyError
            found = [frozenset().union(*chosen) for chosen in product(*parts)]
        if len(found) > MOST_CONJUNCTIONS:
            raise TooManyError
        return list(dict.fromkeys(found))
    if isinstance(condition, Amount) and condition.what[0] in lacking:
        return [] if wanted else [frozenset()]
    if isinstance(condition, Amount) and not wanted:
        sides = (Amount(condition.what, high=condition.low), Amount(condition.what, low=condition.high))
        return [frozenset({(side, True)}) for side in sides if side.low < math.inf and side.high > -math.inf]
    return [frozenset({(condition, wanted)})]


def _consistent(literals: frozenset[Literal], one_class: bool, labels: Collection[str]) -> bool:
    """Whether no contradiction is found in a conjunction."""
    there = {atom for atom, wanted in literals if wanted}
    absent = {atom for atom, wanted in literals if not wanted}
    return (
        not there & absent
        and _phrases_fit(there, absent)
        and _amounts_fit(there)
        and _languages_fit(there)
        and (not one_class or _classes_fit(there, absent, labels))
    )


def _phrases_fit(there: Iterable[Atom], absent: Iterable[Atom]) -> bool:
    said = [atom for atom in there if isinstance(atom, Phrase)]
    unsaid = [atom for atom in absent if isinstance(atom, Phrase)]
    return not any(a.scope == b.scope and says(a.phrase, b.phrase) for a in said for b in unsaid)


def _amounts_fit(there: Iterable[Atom]) -> bool:
    ranges: dict[tuple[str, ...], tuple[float, float]] = {}
    for atom in there:
        if isinstance(atom, Amount):
            low, high = ranges.get(atom.what, (-math.inf, math.inf))
            ranges[atom.what] = max(low, atom.low), min(high, atom.high)
        if isinstance(atom, Phrase):  # a text that says it is at least as long
            low, high = ranges.get(("length", atom.scope), (-math.inf, math.inf))
            ranges["length", atom.scope] = max(low, len(atom.phrase)), high
    return all(_some_between(what[0], low, high) for what, (low, high) in ranges.items())


def _some_between(kind: str, low: float, high: float) -> bool:
    """Whether a number of this kind is at least `low` and below `high`."""
    if kind in ("lexicon", "length"):
        low = max(0, low)
        return low < math.inf and math.ceil(low) < high
    if kind == "probability":
        return max(0.0, low) < high and low <= 1
    return low < high


def _languages_fit(there: Iterable[Atom]) -> bool:
    codes: dict[str, set[str]] = defaultdict(set)
    for atom in there:
        if isinstance(atom, Language):
            codes[atom.scope].add(atom.code)
    return all(len(each) == 1 for each in codes.values())


def _classes_fit(there: Iterable[Atom], absent: Iterable[Atom], labels: Collection[str]) -> bool:
    given = {atom.label for atom in there if isinstance(atom, Answer)}
    denied = {atom.label for atom in absent if isinstance(atom, Answer)}
    return len(given) <= 1 and not (labels and denied >= set(labels))
