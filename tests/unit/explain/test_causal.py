from __future__ import annotations

import re

import numpy as np
import pytest

from tests.audited import WordModel, word_model
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.data.examples import Examples
from tuneloop.explain.causal import effects, sentences, table_rows
from tuneloop.explain.features import Pattern, Phrase, feature_of, rows_with_and_without
from tuneloop.knowledge.lexicon import Lexicon, Term


def yes(total: float) -> float:
    return float(1 / (1 + np.exp(-total)))


def seasons(n: int = 200) -> Examples:
    """In summer texts are good and often name the beach, in winter they are bad and seldom do."""
    random = np.random.default_rng(1)
    texts, season = [], []
    for row in range(n):
        summer = bool(row % 2)
        beach = random.random() < (0.8 if summer else 0.2)
        texts.append(f"the room was {'good' if summer else 'bad'}{' near the beach' if beach else ''}")
        season.append("summer" if summer else "winter")
    return Examples([str(row) for row in range(n)], texts, [], columns={"season": season})


def test_a_word_that_only_goes_with_the_answer_has_no_effect() -> None:
    found = effects(word_model(), seasons(), Phrase("beach"), confounders=["season"])
    effect = next(each for each in found.effects if each.label == "yes")
    assert (effect.effect.value, effect.effect.low, effect.effect.high) == (0, 0, 0)
    assert effect.naive.low is not None and effect.naive.low > 0.3  # it goes with good rooms
    assert effect.adjusted is not None and effect.adjusted.value == pytest.approx(0, abs=1e-6)
    assert found.flipped == 0 and found.overlap == 1


def test_a_word_that_counts_has_the_effect_that_it_has() -> None:
    rows = Examples(["1", "2", "3"], ["the room was good", "Good bed, bad staff", "the bed"], [])
    model = WordModel({"good": 2.0, "bad": -2.0})
    found = effects(model, rows, Phrase("good"))
    effect = found.effects[1]
    taken = [yes(2) - yes(0), yes(0) - yes(-2)]
    assert effect.taken.value == pytest.approx(np.mean(taken), abs=1e-6) and effect.taken.n == 2
    assert effect.given.value == pytest.approx(yes(2) - yes(0), abs=1e-6) and effect.given.n == 1
    assert effect.effect.value == pytest.approx((sum(taken) + yes(2) - yes(0)) / 3, abs=1e-6)
    assert effect.adjusted is None and found.having == 2
    assert found.asked == len(set(model.asked)) == len(model.asked)
    assert table_rows(found.to_json())[1][0] == "yes" and "2 of 3 rows have good" in sentences(found.to_json())[0]


def test_one_phrase_for_another_in_the_rows_that_have_it() -> None:
    rows = Examples(["1", "2"], ["Slow staff", "the bed"], [])
    model = WordModel({"slow": -2.0, "fast": 2.0})
    found = effects(model, rows, feature_of("slow", after="fast"))
    assert "Fast staff" in model.asked and found.effects[1].effect.n == 1
    assert found.effects[1].effect.value == pytest.approx(yes(2) - yes(-2), abs=1e-6)
    assert found.effects[1].given.value is None and found.flipped == 1


def test_categories_patterns_and_chinese_are_found_and_taken_away() -> None:
    lexicon = Lexicon([Term("good", "praise"), Term("very good", "praise"), Term("bad", "blame")], name="words")
    category = feature_of("praise", kind="category", lexicons=[lexicon])
    assert category.name == "words: praise" and category.without("a very good bed, good!") == "a bed,!"
    assert category.forms(["a very good bed", "good"]) == ["good", "very good"]
    assert Pattern(re.compile(r"\d+")).forms(["room 12", "bed 7"]) == ["12", "7"]
    assert Phrase("很").without("房间很好") == "房间好"
    assert Phrase("good").places("goodness, Good") == [(10, 14)]
    random = np.random.default_rng(0)
    shown = {Phrase("good").having("a bed", "good", random) for _ in range(30)}
    assert shown == {"good a bed", "a good bed", "a bed good"}
    assert set(Phrase("很").having("房间好", "很", random)) == set("房间很好")


def test_strata_without_both_kinds_of_rows_are_said_and_length_is_a_confounder() -> None:
    rows = Examples(
        ["1", "2", "3", "4"], ["good x", "good y", "bad x", "bad y"], [], columns={"where": ["a", "b", "b", "b"]}
    )
    found = effects(word_model(), rows, Phrase("good"), confounders=["where"])
    assert found.overlap == 0.75
    assert effects(word_model(), rows, Phrase("x"), confounders=["length"]).confounders == ("length",)


def test_what_cannot_be_told_is_refused() -> None:
    rows = seasons(10)
    with pytest.raises(DataError, match="No row has the feature zebra"):
        effects(word_model(), rows, Phrase("zebra"))
    with pytest.raises(ConfigError, match="no column 'city'"):
        effects(word_model(), rows, Phrase("beach"), confounders=["city"])
    with pytest.raises(ConfigError, match="no regular expression"):
        feature_of("(", kind="regex")
    with pytest.raises(ConfigError, match="No lexicon of the model"):
        feature_of("praise", kind="category")


def test_few_rows_with_the_feature_are_all_looked_at() -> None:
    texts = ["good bed" if row in (3, 40) else "bed" for row in range(50)]
    rows = Examples([str(row) for row in range(50)], texts, [])
    chosen = rows_with_and_without(rows, Phrase("good"), most=10, seed=0)
    assert len(chosen) == 10 and {"3", "40"} < set(chosen.ids)
    common = rows_with_and_without(rows, Phrase("bed"), most=10, seed=0)
    assert len(common) == 10


def test_pairs_of_phrases_change_places_all_at_once() -> None:
    feature = feature_of("he", after="she", also={"she": "he", "his bed": "her bed", "his": "her"})
    assert feature.name == "he -> she, she -> he, his bed -> her bed, his -> her"
    assert feature.without("He said she took his bed, not his; the") == "She said he took her bed, not her; the"
    with pytest.raises(ConfigError, match="incomplete"):
        feature_of("he", after="she", also={"his": ""})
    with pytest.raises(ConfigError, match="incomplete"):
        feature_of("he", also={"his": "her"})
