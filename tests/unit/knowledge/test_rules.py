"""Rules change what they say they change, in their order, and say why."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.knowledge.actions import Kind
from tuneloop.knowledge.facts import Case
from tuneloop.knowledge.graph import Graph, Triple
from tuneloop.knowledge.lexicon import Lexicon, Term
from tuneloop.knowledge.reasons import Outcome
from tuneloop.knowledge.rules import RuleBook, parse_rules

LEXICON = Lexicon([Term("profit warning", "warning"), Term("loss", "bad"), Term("亏损", "bad")])
GRAPH = Graph([Triple("acme", "listed_in", "London"), Triple("acme", "name", "Acme")])
SURE = {"positive": 0.7, "neutral": 0.2, "negative": 0.1}


def book(*rules: str) -> RuleBook:
    text = "version: 1\nrules:\n" + "".join(f"  - {{name: r{number}, {rule}}}\n" for number, rule in enumerate(rules))
    return parse_rules(text, lexicons=[LEXICON], graph=GRAPH)


def applied(*rules: str, text: str = "", kind: Kind = "class", answer: Any = "positive", **case: Any) -> Outcome:
    return book(*rules).apply(Case(text, answer=answer, **({"probabilities": SURE} | case)), kind)


@pytest.mark.parametrize(
    ("condition", "text", "holds"),
    [
        ("contains: Profit Warning", "a profit warning.", True),
        ("contains: loss", "glossy", False),
        ("any: [gain, loss]", "a loss", True),
        ("all: [gain, loss]", "a loss", False),
        ("contains: 亏损", "公司亏损扩大", True),
        ("regex: 'down \\d+ ?%'", "Down 12 % today", True),
        ("lexicon: {category: bad, min: 2}", "loss and loss", True),
        ("lexicon: {category: bad}", "no loss", False),
        ("lexicon: {category: bad, negated: true}", "no loss", True),
        ("lexicon: {category: bad, max: 0}", "fine", True),
        ("entity: Acme", "Acme falls", True),
        ("entity: {relation: listed_in, to: London}", "Acme falls", True),
        ("entity: {relation: listed_in, to: Paris}", "Acme falls", False),
        ("label: positive", "", True),
        ("label: [neutral, negative]", "", False),
        ("probability: {below: 0.7}", "", False),
        ("probability: {above: 0.15, below: 0.3, of: neutral}", "", True),
        ("length: {min: 3, max: 5}", "four", True),
        ("language: zh", "公司 Q3 亏损", True),
        ("not: {language: en}", "plain English", False),
        ("or: [{contains: x}, {and: [{contains: a}, {not: {contains: b}}]}]", "a c", True),
        ("pair: {contains: loss}", "loss", False),
    ],
)
def test_conditions(condition: str, text: str, holds: bool) -> None:
    assert bool(applied(f"if: {{{condition}}}, then: {{label: negative}}", text=text).held) is holds


def test_every_change_is_recorded_with_what_matched() -> None:
    found = applied("if: {contains: loss}, then: {label: negative}, because: Losses are bad", text="A LOSS")
    (reason,) = found.reasons
    assert found.answer == "negative"
    assert reason.to_json() | {"flag": False, "hard": False} == {
        "rule": "r0", "before": "positive", "after": "negative", "matched": "LOSS", "because": "Losses are bad",
        "hard": False, "flag": False,
    }  # fmt: skip


def test_never_takes_the_most_probable_of_the_others_and_must_one_of_its_own() -> None:
    assert applied("then: {never: positive}").answer == "neutral"
    assert applied("then: {never: [positive, neutral]}").answer == "negative"
    assert applied("then: {must: [neutral, negative]}").answer == "neutral"
    assert applied("then: {must: [positive, negative]}").reasons == ()


def test_hard_rules_go_first_and_then_the_greater_priority() -> None:
    soft, hard = "then: {label: positive}, priority: 9", "then: {never: positive}, hard: true"
    found = applied(soft, hard, "then: {label: negative}, priority: 10")
    assert (found.answer, found.beaten, found.broken) == ("negative", ("r0",), ())


def test_a_hard_rule_that_cannot_be_kept_is_said_to_be_broken() -> None:
    rules = [f"then: {{label: {label}}}, hard: true, priority: {p}" for label, p in (("negative", 1), ("neutral", 2))]
    found = applied(*rules)
    assert (found.answer, found.broken) == ("neutral", ("r0",))


def test_a_flag_changes_nothing_and_is_recorded() -> None:
    found = applied("if: {probability: {below: 0.8}}, then: {flag: true}")
    assert found.answer == "positive" and found.reasons[0].flag


def test_several_classes_are_added_and_removed() -> None:
    rules = ["then: {add: c}, priority: 2", "then: {remove: [a, c]}, priority: 1"]
    found = applied(*rules, kind="set", answer=("a", "b"), probabilities={"a": 0.9, "b": 0.8, "c": 0.1, "d": 0.2})
    assert (found.answer, found.beaten) == (("a", "b", "c"), ("r1",))
    found = applied("then: {must: [c, d]}", kind="set", answer=(), probabilities={"a": 0.1, "c": 0.1, "d": 0.2})
    assert found.answer == ("d",)


def test_numbers_are_brought_into_the_range() -> None:
    rules = ["if: {contains: loss}, then: {at_most: 2}", "if: {value: {above: 4}}, then: {at_least: 1}"]
    assert applied(*rules, kind="number", answer=4.5, text="loss", probabilities={}).answer == 2.0
    assert applied(*rules, kind="number", answer=1.5, text="loss", probabilities={}).answer == 1.5


def test_written_texts_are_replaced_where_they_break_a_rule() -> None:
    rule = "then: {must_not_say: 'guaranteed (profit|return)s?', instead: I cannot promise that.}, hard: true"
    found = applied(rule, kind="text", answer="You get Guaranteed Returns!", probabilities={})
    assert (found.answer, found.broken) == ("I cannot promise that.", ())
    assert found.reasons[0].before == "You get Guaranteed Returns!"
    assert applied(rule, kind="text", answer="Maybe.", probabilities={}).reasons == ()


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("if: {contians: x}, then: {label: a}", "contians"),
        ("if: {contains: x}", "no then"),
        ("then: {}", "does nothing"),
        ("if: {regex: '(a)\\1'}, then: {label: a}", "refused"),
        ("if: {regex: '(?=a)'}, then: {label: a}", "refused"),
        ("if: {lexicon: {min: 1}}, then: {label: a}", "category"),
        ("if: {length: {}}, then: {label: a}", "max, min"),
        ("if: {language: klingon}, then: {label: a}", "klingon"),
        ("then: {at_least: 3, at_most: 2}", "above at_most"),
        ("then: {must_not_say: a, instead: a}", "keeps to the rule"),
        ("then: {label: a}, hard: perhaps", "true or false"),
        ("then: {label: a}, priority: first", "not a number"),
    ],
)
def test_mistakes_name_file_line_and_rule(rule: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"rules\.yaml, line 4, rule r1: .*{problem}"):
        book("then: {label: a}", rule)


def test_labels_that_yaml_takes_for_truth_values_stay_labels() -> None:
    assert applied("then: {label: no}", answer="yes", probabilities={"yes": 0.9, "no": 0.1}).answer == "no"


def test_what_a_model_cannot_give_is_refused() -> None:
    for rule, kind, problem in [
        ("then: {label: bullish}", "class", "bullish"),
        ("then: {add: positive}", "class", "add"),
        ("then: {never: a}", "number", "never"),
        ("if: {lexicon: {category: odd}}, then: {label: positive}", "class", "odd"),
        ("if: {entity: Nobody}, then: {label: positive}", "class", "Nobody"),
    ]:
        with pytest.raises(ConfigError, match=problem):
            book(rule).check_fits(kind, list(SURE))  # type: ignore[arg-type]


def test_a_pattern_that_backtracking_engines_choke_on_is_answered_at_once() -> None:
    rules = book("if: {regex: '(a+)+$'}, then: {label: negative}")
    began_s = time.perf_counter()
    assert rules.held(Case("a" * 5000 + "b")) == []
    assert time.perf_counter() - began_s < 5  # any backtracking engine would need longer than the age of the world


def test_half_characters_break_nothing() -> None:
    assert applied("if: {regex: x, contains: x}, then: {label: negative}", text="\ud83d x").answer == "negative"


@pytest.mark.parametrize("name", ["rules.md", "rules.zh-CN.md"])
def test_the_examples_of_the_documentation_are_valid(name: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / name).read_text(encoding="utf-8")
    settings, rules = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert parse_config({"data": {"source": "x.csv"}} | yaml.safe_load(settings)).knowledge.used
    assert [rule.name for rule in parse_rules(rules).rules] == ["profit-warning", "two-bad-words", "unsure"]
