"""What is wrong with a set of rules: those that contradict each other, and those that can do nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

from tuneloop.core.i18n import t
from tuneloop.knowledge.actions import Kind
from tuneloop.knowledge.conditions import Amount, And, atoms
from tuneloop.knowledge.facts import Case
from tuneloop.knowledge.logic import can_hold, implies
from tuneloop.knowledge.outcomes import disjoint, kind_of, within
from tuneloop.knowledge.rules import Rule, RuleBook, misfits

Severity = Literal["conflict", "unreachable", "unknown", "shadowed", "unused", "terms"]

FAILING: tuple[Severity, ...] = ("conflict", "unreachable", "unknown")
"""Findings that are mistakes; the others are worth a look."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        kind: conflict, unreachable, unknown, shadowed, unused, or terms (those that stand in several categories).
        rule: the rule; empty for what belongs to none.
        other: the rule it has to do with.
        line: where the rule begins; 0 for what belongs to none.
        sentence: what is wrong, for people.
    """

    kind: Severity
    rule: str
    other: str
    line: int
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Trial:
    """What rules did on real rows.

    Args:
        rows: how many rows.
        held: rows that each rule held on.
        changed: rows whose answer each rule changed.
        beaten: rows on which rules before it would not let it have its way.
        broken: rows whose final answer breaks it, though it is hard.
        collisions: rows on which two rules held whose demands no answer can keep to.
    """

    rows: int
    held: dict[str, int]
    changed: dict[str, int]
    beaten: dict[str, int]
    broken: dict[str, int]
    collisions: dict[tuple[str, str], int]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        pairs = [{"rules": list(pair), "rows": count} for pair, count in self.collisions.items()]
        return asdict(self) | {"collisions": pairs}


def check(book: RuleBook, *, kind: Kind | None = None, labels: Sequence[str] = ()) -> list[Finding]:
    """All that can be found wrong with rules without any text.

    Args:
        kind: of the model's answers; guessed from the actions by default.
        labels: the model's classes; those that the file lists by default.
    """
    return list(_Check(book, kind, labels or book.labels).findings())


def _lacking(kind: Kind | None) -> tuple[str, ...]:
    """Numbers that answers of a kind never have; none are known to lack where the kind is only guessed."""
    return {"class": ("value",), "set": ("value",), "number": ("probability",), "text": ("probability", "value")}.get(
        kind or "", ()
    )


class _Check:
    def __init__(self, book: RuleBook, kind: Kind | None, labels: Sequence[str]) -> None:
        self.book, self.rules, self.labels = book, book.rules, labels
        self.given = kind
        self.kind: Kind = kind or kind_of(book.rules)
        self.model: dict[str, Any] = {"one_class": self.kind == "class", "labels": labels, "lacking": _lacking(kind)}

    def findings(self) -> Iterator[Finding]:
        for rule in self.rules:
            for problem in misfits(
                rule, kind=self.given, labels=self.labels, lexicons=self.book.lexicons, graph=self.book.graph
            ):
                yield self._finding("unknown", rule, None, problem)
        dead = {rule.name for rule in self.rules if not self._can_hold(rule)}
        for rule in self.rules:
            if rule.name in dead:
                yield self._finding("unreachable", rule, None, t("its condition can never hold."))
        alive = [rule for rule in self.rules if rule.name not in dead]
        for place, rule in enumerate(alive):
            yield from self._beaten(rule, alive[:place])
        for first, second in combinations(alive, 2):
            yield from self._conflict(first, second)
        yield from self._unused()

    def _conflict(self, first: Rule, second: Rule) -> Iterator[Finding]:
        tie, hard = first.rank == second.rank, first.hard and second.hard
        if not (tie or hard) or not self._clash(first, second) or not self._together(first, second):
            return
        sentence = (
            t("it and {other} can hold for one text, want different answers, and have the same priority.",
              other=first.name)
            if tie
            else t("it is hard, and so is {other}, which goes first and wants another answer.", other=first.name)
        )  # fmt: skip
        yield self._finding("conflict", second, first, sentence)

    def _beaten(self, rule: Rule, before: Sequence[Rule]) -> Iterator[Finding]:
        """Whether one rule before it always holds too and settles the answer, whatever the others do."""
        if not rule.actions or rule.flag:
            return
        for place, other in enumerate(before):
            if (
                not other.actions
                or not self._implies(rule, other)
                or not self._always_works(other, rule, before[:place])
            ):
                continue
            if all(any(self._surely_loses(mine, a) for a in other.actions) for mine in rule.actions):
                text = t("{other} goes first, always holds with it, and wants another answer.", other=other.name)
                yield self._finding("unreachable", rule, other, text)
                return
            if all(any(self._within(a, mine) for a in other.actions) for mine in rule.actions):
                text = t("{other} goes first, always holds with it, and already does as much.", other=other.name)
                yield self._finding("shadowed", rule, other, text)
                return

    def _always_works(self, other: Rule, rule: Rule, before: Sequence[Rule]) -> bool:
        """Whether no rule before `other` can keep it from its way where `rule` holds."""
        return len(other.actions) == 1 and all(
            all(self._within(other.actions[0], theirs) for theirs in each.actions) or not self._together(each, rule)
            for each in before
        )

    def _surely_loses(self, mine: Any, theirs: Any) -> bool:
        if self.kind == "text":
            return bool(mine.verb == theirs.verb == "label" and mine.values != theirs.values)
        if self.kind == "set" and "must" in (mine.verb, theirs.verb):
            return False
        return disjoint(mine, theirs, kind=self.kind, labels=self.labels)

    def _within(self, first: Any, second: Any) -> bool:
        return within(first, second, kind=self.kind, labels=self.labels)

    def _clash(self, first: Rule, second: Rule) -> bool:
        return any(disjoint(a, b, kind=self.kind, labels=self.labels) for a in first.actions for b in second.actions)

    def _can_hold(self, rule: Rule) -> bool:
        return can_hold(rule.condition, **self.model)

    def _together(self, first: Rule, second: Rule) -> bool:
        return can_hold(And((first.condition, second.condition)), **self.model)

    def _implies(self, first: Rule, second: Rule) -> bool:
        return implies(first.condition, second.condition, **self.model)

    def _unused(self) -> Iterator[Finding]:
        found = (atom for rule in self.rules for atom in atoms(rule.condition) if isinstance(atom, Amount))
        asked = {atom.what[2] for atom in found if atom.what[0] == "lexicon"}
        for lexicon in self.book.lexicons:
            several = [each.term for each in lexicon.conflicts]
            if several:
                names = ", ".join(several[:3])
                text = t(
                    "{count} terms of {lexicon} stand in several categories or with several weights, such as {names}.",
                    count=len(several), lexicon=lexicon.name, names=names,
                )  # fmt: skip
                yield Finding("terms", "", "", 0, text)
            for category in sorted(lexicon.categories.keys() - asked):
                text = t("no rule asks for the category {name} of {lexicon}.", name=category, lexicon=lexicon.name)
                yield Finding("unused", "", "", 0, text)

    def _finding(self, kind: Severity, rule: Rule, other: Rule | None, problem: str) -> Finding:
        sentence = t("line {line}, rule {name}: {problem}", line=rule.line, name=rule.name, problem=problem)
        return Finding(kind, rule.name, other.name if other else "", rule.line, sentence)


def try_rules(book: RuleBook, cases: Iterable[Case], *, kind: Kind) -> Trial:
    """How often each rule holds, changes and is beaten on real rows, and which collide.

    Without a model (`Case.answer` is None) no answer is changed, and conditions that ask for the model's answer or its
    probabilities do not hold.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("held", "changed", "beaten", "broken")}
    collisions: Counter[tuple[str, str]] = Counter()
    rows = 0
    for rows, case in enumerate(cases, start=1):  # noqa: B007
        held = book.held(case)
        counts["held"].update(rule.name for rule in held)
        for first, second in combinations(held, 2):
            if any(disjoint(a, b, kind=kind) for a in first.actions for b in second.actions):
                collisions[first.name, second.name] += 1
        if case.answer is not None:
            outcome = book.apply(case, kind)
            counts["changed"].update(each.rule for each in outcome.reasons if not each.flag)
            counts["beaten"].update(outcome.beaten)
            counts["broken"].update(outcome.broken)
    names = [rule.name for rule in book.rules]
    filled = {kind_: {name: found[name] for name in names} for kind_, found in counts.items()}
    return Trial(rows=rows, collisions=dict(collisions.most_common()), **filled)
