"""Contradictions that were planted are found, and what is called unreachable never acts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.knowledge.facts import Case
from tuneloop.knowledge.lexicon import Lexicon, Term
from tuneloop.knowledge.rules import RuleBook, parse_rules
from tuneloop.knowledge.rules_check import check, try_rules

LABELS = ["bad", "good", "odd"]
WORDS = ["loss", "net loss", "gain", "profit warning", "warning", "亏损", "亏损扩大"]
NO_PLUS = "{lexicon: {category: plus, max: 0}}"
LEXICON = Lexicon([Term("loss", "minus"), Term("gain", "plus"), Term("亏损", "minus")])


def book(*rules: str) -> RuleBook:
    text = "rules:\n" + "".join(f"  - {{name: r{number}, {rule}}}\n" for number, rule in enumerate(rules))
    return parse_rules(text, lexicons=[LEXICON])


def kinds(*rules: str, **about: Any) -> list[tuple[str, str]]:
    about = {"kind": "class", "labels": LABELS} | about
    return [(found.kind, found.rule) for found in check(book(*rules), **about) if found.kind != "unused"]


@pytest.mark.parametrize(
    "rules",
    [
        ("if: {contains: gain}, then: {label: good}", "if: {contains: loss}, then: {label: bad}"),
        ("if: {contains: gain}, then: {label: good}", "if: {length: {max: 90}}, then: {never: good}"),
        ("then: {never: good}", "if: {lexicon: {category: minus}}, then: {label: good}"),
        ("then: {never: [good, odd]}", "then: {never: bad}"),
        ("then: {label: bad}, hard: true, priority: 1", "if: {contains: a}, then: {label: good}, hard: true"),
    ],
)
def test_two_rules_that_want_different_answers_are_a_conflict(rules: tuple[str, str]) -> None:
    assert "conflict" in [kind for kind, _ in kinds(*rules)]


@pytest.mark.parametrize(
    "rules",
    [
        ("if: {contains: gain}, then: {label: good}", "if: {not: {contains: gain}}, then: {label: bad}"),
        ("if: {contains: gain}, then: {label: good}", "if: {contains: loss}, then: {never: bad}"),
        ("if: {lexicon: {category: plus}}, then: {label: good}", f"if: {NO_PLUS}, then: {{label: bad}}"),
        ("if: {contains: gain}, then: {label: good}, priority: 1", "if: {contains: loss}, then: {label: bad}"),
        ("if: {label: good}, then: {label: bad}", "if: {label: bad}, then: {label: good}"),
        ("if: {contains: big gain}, then: {label: good}", "if: {not: {contains: gain}}, then: {label: bad}"),
        ("if: {probability: {above: 0.5}}, then: {label: good}", "if: {probability: {below: 0.5}}, then: {label: bad}"),
    ],
)  # fmt: skip
def test_rules_that_never_meet_or_agree_or_have_an_order_are_none(rules: tuple[str, str]) -> None:
    assert kinds(*rules) == []


@pytest.mark.parametrize(
    "condition",
    [
        "contains: loss, not: {contains: loss}",
        "contains: net loss, not: {contains: loss}",
        "contains: 亏损扩大, not: {contains: 亏损}",
        "label: good, and: [{label: bad}]",
        "not: {label: [good, bad, odd]}",
        "probability: {above: 0.6}, and: [{probability: {below: 0.5}}]",
        "probability: {above: 1}",
        "length: {max: 3}, contains: warning",
        "lexicon: {category: plus, min: 2, max: 1}",
        "language: zh, and: [{language: en}]",
        "or: [{contains: a, not: {contains: a}}, {length: {min: 5, max: 4}}]",
    ],
)
def test_a_condition_that_cannot_hold_makes_a_rule_unreachable(condition: str) -> None:
    assert kinds(f"if: {{{condition}}}, then: {{label: good}}") == [("unreachable", "r0")]


def test_a_more_general_rule_that_goes_first_makes_one_unreachable_or_idle() -> None:
    general = "if: {contains: loss}, then: {label: bad}, priority: 5"
    assert kinds(general, "if: {contains: net loss}, then: {label: good}") == [("unreachable", "r1")]
    assert kinds(general, "if: {contains: net loss}, then: {never: good}") == [("shadowed", "r1")]
    assert kinds(general, "if: {any: [loss, gain]}, then: {label: good}") == []
    # the first may itself be beaten, and then the other has its way
    first = "if: {contains: net loss}, then: {label: odd}, priority: 9"
    assert kinds(first, general, "if: {contains: net loss}, then: {never: bad}") == [("shadowed", "r2")]


def test_unknown_classes_and_categories_and_unused_ones_are_told() -> None:
    found = check(book("if: {lexicon: {category: odd}}, then: {label: bullish}"), kind="class", labels=LABELS)
    assert [each.kind for each in found] == ["unknown", "unknown", "unused", "unused"]


def test_terms_of_several_categories_are_told() -> None:
    lexicon = Lexicon([Term("suit", "legal"), Term("suit", "clothes")])
    made = parse_rules("rules: [{name: r, then: {label: good}}]", lexicons=[lexicon])
    assert [each.kind for each in check(made)] == ["terms", "unused", "unused"]


def test_real_rows_show_how_often_rules_hold_and_collide() -> None:
    rules = book("if: {contains: loss}, then: {label: bad}", "if: {contains: gain}, then: {label: good}")
    cases = [Case(text, answer="odd", probabilities={"odd": 1.0, "bad": 0.0, "good": 0.0}) for text in
             ("loss", "gain", "loss and gain", "nothing")]  # fmt: skip
    trial = try_rules(rules, cases, kind="class")
    assert trial.rows == 4 and trial.held == {"r0": 2, "r1": 2}
    assert trial.changed == {"r0": 2, "r1": 1} and trial.beaten["r1"] == 1
    assert trial.collisions == {("r0", "r1"): 1}


def atom() -> st.SearchStrategy[str]:
    probability = st.sampled_from(["above: 0.4", "below: 0.4", "below: 0.7", "above: 0.7"])
    return st.one_of(
        st.sampled_from(WORDS).map(lambda word: f"{{contains: {word}}}"),
        st.sampled_from(LABELS).map(lambda label: f"{{label: {label}}}"),
        st.tuples(st.sampled_from(["plus", "minus"]), st.integers(0, 2)).map(
            lambda one: f"{{lexicon: {{category: {one[0]}, max: {one[1]}}}}}"
        ),
        st.integers(1, 12).map(lambda length: f"{{length: {{max: {length}}}}}"),
        probability.map(lambda ends: f"{{probability: {{{ends}}}}}"),
    )


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=2).map(", ".join)
    return st.one_of(
        inner.map(lambda one: f"{{not: {one}}}"),
        several.map(lambda many: f"{{or: [{many}]}}"),
        several.map(lambda many: f"{{and: [{many}]}}"),
    )


conditions = st.recursive(atom(), compound, max_leaves=3)
some = st.lists(st.sampled_from(LABELS), min_size=1, max_size=2, unique=True).map(lambda names: f"[{', '.join(names)}]")


def said(verbs: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(verbs), values).map(lambda one: f"{{{one[0]}: {one[1]}}}")


DEMANDS = {
    "class": said(["label"], st.sampled_from(LABELS)) | said(["never", "must"], some),
    "set": said(["label", "never", "must", "add", "remove"], some),
    "number": said(["at_most", "at_least", "label"], st.integers(0, 4)),
    "text": said(["label"], st.sampled_from("xyz"))
    | st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")).map(
        lambda one: f"{{must_not_say: {one[0]}, instead: {one[1]}}}"
    ),
}
ANSWERS: dict[str, st.SearchStrategy[Any]] = {
    "class": st.sampled_from(LABELS),
    "set": st.sets(st.sampled_from(LABELS)).map(lambda names: tuple(sorted(names))),
    "number": st.floats(-1, 6),
    "text": st.sampled_from(["a", "b", "a b", "c", "x"]),
}


def rules(kind: str) -> st.SearchStrategy[str]:
    return st.tuples(conditions, DEMANDS[kind], st.integers(0, 3), st.booleans()).map(
        lambda one: f"if: {one[0]}, then: {one[1]}, priority: {one[2]}, hard: {str(one[3]).lower()}"
    )


def cases(kind: str) -> st.SearchStrategy[Case]:
    sure = st.tuples(*[st.floats(0, 1)] * 3) if kind in ("class", "set") else st.just(())
    words = st.lists(st.sampled_from([*WORDS, "x", "glossy"]), max_size=4).map(" ".join)
    return st.builds(
        lambda text, answer, sure: Case(text, answer=answer, probabilities=dict(zip(LABELS, sure, strict=False))),
        words, ANSWERS[kind], sure,
    )  # fmt: skip


def test_a_written_text_has_no_probability_that_could_be_low() -> None:
    made = book(
        "if: {not: {probability: {above: 0.4}}}, then: {label: y}, priority: 0, hard: false",
        "if: {probability: {below: 0.7}}, then: {label: x}, priority: 0, hard: true",
    )
    assert made.apply(Case("", answer="a"), "text").answer == "y"
    never = {each.rule for each in check(made, kind="text") if each.kind == "unreachable"}
    assert never == {rule.name for rule in made.rules if rule.hard}


@pytest.mark.parametrize("kind", DEMANDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_called_unreachable_never_acts_and_what_is_called_idle_never_changes(kind: Any, data: Any) -> None:
    texts = data.draw(st.lists(rules(kind), min_size=1, max_size=5))
    made = book(*texts)
    found = check(made, kind=kind, labels=LABELS)
    dead = {each.rule for each in found if each.kind == "unreachable"}
    idle = {each.rule for each in found if each.kind == "shadowed"}
    for case in data.draw(st.lists(cases(kind), min_size=5, max_size=15)):
        outcome = made.apply(case, kind)
        assert not dead & (set(outcome.held) - set(outcome.beaten)), (texts, case)
        assert not (dead | idle) & {reason.rule for reason in outcome.reasons}, (texts, case)
