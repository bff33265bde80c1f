"""What two demands on an answer have to do with each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tuneloop.knowledge.actions import Action, Kind, keeps
from tuneloop.knowledge.rules import Rule


def kind_of(rules: Sequence[Rule]) -> Kind:
    """The kind of answers that rules are written for, as far as their actions tell; one class otherwise."""
    verbs = {action.verb for rule in rules for action in rule.actions}
    if verbs & {"must_not_say", "must_say"}:
        return "text"
    if "range" in verbs:
        return "number"
    return "set" if verbs & {"add", "remove"} else "class"


def disjoint(a: Action, b: Action, *, kind: Kind, labels: Collection[str] = ()) -> bool:
    """Whether no answer can keep to both; for written texts, whether they may put different texts in its place."""
    if kind == "number":
        a, b = a.as_number(), b.as_number()
        return a.low > b.high or b.low > a.high
    if kind == "text":
        return said_by(a) != said_by(b)
    return _no_set(a, b) if kind == "set" else _no_class(a, b, labels)


def within(a: Action, b: Action, *, kind: Kind, labels: Collection[str] = ()) -> bool:
    """True only if every answer that keeps to `a` keeps to `b`, and no rule can tell them apart by doing `a` first."""
    if kind == "number":
        a, b = a.as_number(), b.as_number()
        return b.low <= a.low and a.high <= b.high
    if kind == "text":
        return a.verb == b.verb == "label" and a.values == b.values
    first, second = set(a.values), set(b.values)
    if kind == "class":
        if a.verb != "never":
            return not first & second if b.verb == "never" else first <= second
        if b.verb == "never":
            return second <= first
        return bool(labels) and set(labels) - first <= second
    if b.verb == "must" or a.verb == "must":  # which class it settles is not known here
        return False
    if a.verb == "label":
        return keeps(b, tuple(sorted(first)))
    same_way = (a.verb == "add") == (b.verb == "add") and b.verb != "label"
    return same_way and second <= first


def said_by(action: Action) -> str:
    """The text that a demand puts in place of a written one."""
    return action.values[0] if action.verb == "label" else action.instead


def _no_class(a: Action, b: Action, labels: Collection[str]) -> bool:
    first, second = set(a.values), set(b.values)
    if a.verb == b.verb == "never":
        return bool(labels) and first | second >= set(labels)
    if a.verb == "never":
        return second <= first
    return first <= second if b.verb == "never" else not first & second


def _no_set(a: Action, b: Action) -> bool:
    if b.verb == "label" and a.verb != "label":
        a, b = b, a
    first, second = set(a.values), set(b.values)
    if a.verb == "label":
        return not keeps(b, tuple(sorted(first)))
    out = ("never", "remove")
    if a.verb in out and b.verb not in out:
        a, b, first, second = b, a, second, first
    if b.verb not in out or a.verb in out:
        return False
    return first <= second if a.verb == "must" else bool(first & second)
