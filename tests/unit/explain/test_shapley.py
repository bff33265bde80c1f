"""Shapley values of games whose values are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.audited import WordModel, word_model
from tuneloop.core.errors import ConfigError, DataError, ModelError
from tuneloop.core.i18n import use_language
from tuneloop.explain import create_explainer
from tuneloop.explain.game import Game
from tuneloop.explain.kernel_shap import kernel_values
from tuneloop.explain.shapley import exact_values
from tuneloop.explain.show import sentences


class Committee(WordModel):
    """A number that is not additive: "not" turns what "good" counts, and three words count only together."""

    def scores(self, inputs: Any) -> Any:
        from tuneloop.core.config import TaskConfig
        from tuneloop.tasks import create_task

        self.asked += inputs
        self.task = create_task(TaskConfig(type="regression"), {})
        found = []
        for item in inputs:
            words = set(str(item).split())
            value = 2.0 * ("good" in words) - 3.0 * ({"not", "good"} <= words)
            found.append(value + 6.0 * ({"one", "two", "three"} <= words))
        return np.array(found, dtype=np.float32).reshape(-1, 1)


def committee() -> Committee:
    model = Committee({})
    model.scores([])
    return model


FILLERS = [f"w{number}" for number in range(14)]


def values(text: str, **options: Any) -> tuple[dict[str, float], Any]:
    found = create_explainer("shapley", options).explain(committee(), text, seed=1)
    return {unit.text: value for unit, value in zip(found.units, found.values, strict=True)}, found


def test_a_short_text_has_exact_values() -> None:
    shares, found = values("not good one two three x")
    expected = {"not": -1.5, "good": 0.5, "one": 2.0, "two": 2.0, "three": 2.0, "x": 0.0}
    assert shares == pytest.approx(expected, abs=1e-6)
    assert (found.base, found.output, found.error_kind, found.asked) == (0.0, 5.0, "exact", 64)


def test_a_long_text_has_values_whose_error_is_told_and_whose_sum_is_the_difference_of_the_answers() -> None:
    shares, found = values(" ".join(["not good one", *FILLERS, "two three"]), max_error=0.05, answers=50_000)
    assert sum(found.values) == pytest.approx(found.output - found.base, abs=1e-4)
    assert found.error_kind == "standard_error" and 0 < found.error <= 0.05
    truth = {"not": -1.5, "good": 0.5, "one": 2.0, "two": 2.0, "three": 2.0}
    for (word, share), error in zip(shares.items(), found.errors, strict=True):
        assert 0 < error < 0.1 and abs(share - truth.get(word, 0.0)) < 4 * error


def test_what_two_words_do_together_is_told_without_any_error() -> None:
    shares, found = values(" ".join(["not good", *FILLERS]), answers=500)
    assert shares == pytest.approx({"not": -1.5, "good": 0.5} | dict.fromkeys(FILLERS, 0.0), abs=1e-6)
    assert found.error < 1e-6


def test_values_come_nearer_to_the_exact_ones_with_more_answers_and_reach_them() -> None:
    text = " ".join(["one", *FILLERS[:9], "two three"])
    model, explainer = committee(), create_explainer("shapley")
    question = explainer.question(model, text)
    exact = exact_values(Game(model, question))

    def off(answers: int) -> float:
        found = [
            kernel_values(Game(model, question), np.random.default_rng(seed), answers=answers, max_error=0.0)[0]
            for seed in range(10)
        ]
        return float(np.sqrt(np.mean((np.array(found) - exact) ** 2)))

    few, more, many, every = off(200), off(800), off(3200), off(4096)
    assert few > 1.5 * more > 1.5 * 1.5 * many > 0 and every < 1e-6


def test_the_stated_error_is_as_large_as_the_true_one() -> None:
    text = " ".join(["one", *FILLERS[:9], "two three"])
    explainer = create_explainer("shapley", {"answers": 500, "max_error": 0.0})
    found = [explainer.explain(committee(), text, seed=seed) for seed in range(40)]
    off = np.array([(each.values[0] - 2.0) / each.errors[0] for each in found])
    assert 0.8 < np.sqrt((off**2).mean()) < 1.4


@pytest.mark.parametrize("fillers", [2, 10])
def test_interactions_tell_what_words_do_together(fillers: int) -> None:
    text = " ".join(["not good", *FILLERS[:fillers], "one two three"])
    _, found = values(text, interactions=5, answers=3000)
    names = [unit.text for unit in found.units]
    told = {frozenset([names[each["first"]], names[each["second"]]]): each for each in found.details["interactions"]}
    assert len(told) == 10
    assert told[frozenset(["not", "good"])]["value"] == pytest.approx(-3, abs=1e-6)
    # of what three words do together each two of them have a half
    assert told[frozenset(["one", "two"])]["value"] == pytest.approx(3, abs=1e-6)
    assert told[frozenset(["not", "one"])]["value"] == pytest.approx(0, abs=1e-6)
    assert all((each["error"] == 0) or fillers == 10 for each in told.values())


@pytest.mark.parametrize(("answers", "interactions"), [(64, 0), (200, 0), (512, 0), (512, 12)])
def test_the_budget_holds_and_words_are_taken_together_for_it(answers: int, interactions: int) -> None:
    text = " ".join(["one not good", *(f"w{number}" for number in range(95)), "two three"])
    _, found = values(text, answers=answers, max_error=0.0, interactions=interactions)
    assert found.asked <= answers
    assert sum(found.values) == pytest.approx(found.output - found.base, abs=1e-4)
    assert found.details["together"] > 1 and " ".join(unit.text for unit in found.units) == text
    assert found.error_kind == "exact" or len(found.errors) == len(found.units)
    assert any("one unit" in each for each in sentences(found))


def test_the_stated_error_covers_the_value_with_few_orders_too() -> None:
    text = " ".join(["one", *(f"w{number}" for number in range(28)), "two three"])
    explainer = create_explainer("shapley", {"answers": 482, "max_error": 0.0})  # the fewest for 31 words
    found = [explainer.explain(committee(), text, seed=seed) for seed in range(40)]
    covered = np.mean([abs(each.values[0] - 2.0) <= 1.96 * each.errors[0] for each in found])
    assert len(found[0].units) == 31 and covered >= 0.85


@pytest.mark.parametrize("words", [9, 10])
def test_it_ends_for_words_of_equal_weight(words: int) -> None:
    item = " ".join(["good"] * words)
    for text in (item, " ".join(f"w{number}" for number in range(words))):
        explainer = create_explainer("shapley")
        game = Game(committee(), explainer.question(committee(), text))
        found, errors = kernel_values(game, np.random.default_rng(0), answers=3000, max_error=0.0)
        assert game.asked <= 1 << words and errors.max() <= 1
        assert sum(found) == pytest.approx(np.diff(game.ends())[0], abs=1e-6)
    with pytest.raises(ConfigError, match="too few"):
        kernel_values(game, np.random.default_rng(0), answers=100, max_error=0.0)


def test_it_ends_when_every_set_is_known() -> None:
    _, found = values(" ".join(["one two three", *FILLERS[:8]]), answers=3000, max_error=0.0)
    assert found.asked <= 2048 and sum(found.values) == pytest.approx(6, abs=1e-4)


def test_classes_pairs_and_characters_are_explained() -> None:
    model = word_model()
    shapley = create_explainer("shapley")
    found = shapley.explain(model, "a good room")
    assert (found.label, found.scale) == ("yes", "probability")
    assert found.values[1] == max(found.values) == pytest.approx(found.output - 0.5, abs=1e-4)
    other = shapley.explain(model, "a good room", label="no")
    assert other.values == pytest.approx([-value for value in found.values], abs=1e-6)
    odds = create_explainer("shapley", {"scale": "log_odds"}).explain(model, "good bad good")
    assert odds.values == pytest.approx([2, -2, 2], abs=1e-3)
    by_character = create_explainer("shapley", {"unit": "character"}).explain(model, "good")
    assert [unit.text for unit in by_character.units] == list("good")


def test_what_cannot_be_explained_is_refused() -> None:
    shapley = create_explainer("shapley")
    with pytest.raises(DataError, match="no word"):
        shapley.explain(word_model(), " \n ")
    with pytest.raises(DataError, match="single texts"):
        shapley.explain(word_model(), ("a", "b"))
    with pytest.raises(ConfigError, match="'yess'"):
        shapley.explain(word_model(), "a", label="yess")
    with pytest.raises(ModelError, match="no mask token"):
        create_explainer("shapley", {"absent": "mask"}).explain(word_model(), "a b")
    with pytest.raises(ConfigError, match="shapely"):
        create_explainer("shapely")


def test_refusals_are_told_in_chinese() -> None:
    use_language("zh")
    try:
        with pytest.raises(DataError) as failure:
            create_explainer("shapley").explain(word_model(), " ")
    finally:
        use_language(None)
    assert failure.value.problem != "There is no word in the text."
