from __future__ import annotations

import json

import numpy as np
import pytest

from tests.audited import WordModel, hotel_rows, word_model
from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ModelError
from tuneloop.data.examples import Examples
from tuneloop.explain.global_words import effect_rows, overview
from tuneloop.explain.rules import sentences
from tuneloop.knowledge.lexicon import Lexicon, Term
from tuneloop.tasks import create_task


def yes(total: float) -> float:
    return float(1 / (1 + np.exp(-total)))


def test_each_word_has_the_mean_of_what_it_does_where_it_stands() -> None:
    texts = ["good room", "good bed", "good bad", "good good", "the Good room", "the room"] * 2
    rows = Examples([str(row) for row in range(len(texts))], texts, ["yes"] * len(texts))
    model = WordModel({"good": 2.0, "bad": -1.0})
    found = overview(model, rows, rows)
    effects = {(each.name, each.label): each for each in found.words}
    good = effects["good", "yes"]
    # "good good" without good is empty, so it cannot be asked for
    losses = [yes(2) - 0.5, yes(2) - 0.5, yes(1) - yes(-1), yes(2) - 0.5]
    assert good.value == pytest.approx(np.mean(losses), abs=1e-6) and good.rows == 8 and good.sure
    assert effects["good", "no"].value == pytest.approx(-good.value, abs=1e-6)
    room = effects["room", "yes"]
    assert (room.value, room.low, room.high, room.sure) == (0, 0, 0, False)
    assert ("bad", "yes") not in effects  # it stands in too few rows
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["words"][0]["name"] == "good"
    assert [row[:3] for row in effect_rows(found.to_json()["words"])][1][:2] == ["yes", "good"]


def test_only_words_that_the_model_goes_by_are_sure() -> None:
    found = overview(word_model(), hotel_rows(200, seed=1), hotel_rows(150, seed=3))
    sure = {each.name for each in found.words if each.sure}
    assert sure and sure <= set(word_model().weights)
    assert all(each.value > 0 for each in found.words if each.sure and each.label == "yes" and each.name == "good")


def test_the_words_of_a_category_count_together() -> None:
    lexicon = Lexicon([Term("good", "praise"), Term("great", "praise"), Term("town", "place")], name="words")
    rows = hotel_rows(100, seed=3)
    found = overview(word_model(), rows, rows, lexicons=[lexicon])
    concepts = {(each.name, each.label): each for each in found.concepts}
    assert concepts["words: praise", "yes"].low > 0
    assert concepts["words: place", "yes"].value == 0


def test_rules_say_what_a_model_of_one_word_does_and_their_fidelity_is_of_unseen_rows() -> None:
    model = WordModel({"good": 4.0, "room": -1.0, "the": -1.0})
    found = overview(model, hotel_rows(300, seed=1), hotel_rows(120, seed=3)).rules
    assert found is not None and found.rows == 120 and found.fitted_on == 300
    meant = [each.label for each in model.predict(hotel_rows(120, seed=3).inputs)]
    first = found.rules[0]
    assert found.fidelity >= found.majority and "good" in {*first.having, *first.lacking}
    assert sum(rule.rows for rule in found.rules) == 120
    assert sum(rule.agreeing for rule in found.rules) / 120 == pytest.approx(found.fidelity)
    assert 0.5 < meant.count("no") / 120 == pytest.approx(found.majority)


def test_the_budget_is_kept_and_what_is_left_out_is_said() -> None:
    model, rows = word_model(), hotel_rows(60, seed=3)
    found = overview(model, rows, rows, budget=100)
    assert found.left_out > 0 and found.looked_at > 0
    assert found.asked <= 100 + 2 * 60


def test_rules_are_told_in_words_and_other_tasks_are_refused() -> None:
    rows = hotel_rows(100, seed=1)
    rules = overview(word_model(), rows, rows).to_json()["rules"]
    said = sentences(rules)
    assert "held-out rows as the model does" in said[0] and "with '" in " ".join(said[1:])
    model = word_model()
    model.task = create_task(TaskConfig(type="tagging"), {"labels": ["x"]})
    with pytest.raises(ModelError, match="task tagging"):
        overview(model, rows, rows)
