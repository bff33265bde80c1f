from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.audited import WordModel, hotel_rows, word_model
from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.data.examples import Examples, Input
from tuneloop.explain.counterfactual import CounterfactualOptions, counterfactuals, sentences
from tuneloop.explain.edits import edited, edits_of
from tuneloop.explain.opposites import find_opposites
from tuneloop.explain.units import units_of
from tuneloop.explain.wording import Wording, learn_wording
from tuneloop.tasks import create_task

TRAIN = Examples(
    [str(row) for row in range(60)],
    ["the room was good", "the staff was slow", "the food was not cold"] * 20,
    ["yes", "no", "yes"] * 20,
)


@pytest.fixture(autouse=True)
def _wordnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A WordNet of four adjectives: slow and fast are opposites, sluggish is a kind of slow, good stands alone."""
    licence = "  1 licence \n"
    words = ["slow", "fast", "sluggish", "good"]
    pointers = ["001 ! {fast:08d} a 0101", "001 ! {slow:08d} a 0101", "001 & {slow:08d} a 0000", "000"]
    lines = [f"{{{word}:08d}} 00 a 01 {word} 0 {to} | .\n" for word, to in zip(words, pointers, strict=True)]
    places, end = {}, len(licence)
    for word, line in zip(words, lines, strict=True):
        places[word] = end
        end += len(line.format(**dict.fromkeys(words, 0)))
    (tmp_path / "data.adj").write_text(licence + "".join(line.format(**places) for line in lines))
    index = "".join(f"{word} a 1 1 ! 1 0 {place:08d}\n" for word, place in places.items())
    (tmp_path / "index.adj").write_text(licence + index)
    for part in ("noun", "verb", "adv"):
        (tmp_path / f"data.{part}").write_text(licence)
        (tmp_path / f"index.{part}").write_text(licence)
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path))
    yield


@pytest.fixture(scope="module")
def wording() -> Wording:
    return learn_wording(TRAIN)


def test_opposites_are_those_of_the_word_and_of_what_it_is_a_kind_of() -> None:
    found = find_opposites()
    assert found is not None
    assert found.antonyms("slow") == ["fast"]
    assert found.antonyms("sluggish") == ["fast"]
    assert found.antonyms("room") == []


def test_a_slow_text_becomes_a_fast_one(wording: Wording) -> None:
    model = WordModel({"slow": -2.0, "fast": 2.0, "good": 2.0})
    found = counterfactuals(model, "The staff was slow", wording=wording, label="yes")
    assert {(each.edits[0].after, each.edits[0].kind, each.item) for each in found.found} == {
        ("fast", "antonym", "The staff was fast"),
        ("good", "neighbour", "The staff was good"),
    }
    assert [each.edits[0].after for each in found.found] == ["good", "fast"]  # "was good" stands in training texts
    assert found.found[0].plausibility > found.found[1].plausibility
    assert "change 'slow' to 'good': then it answers yes" in sentences(found)[1]
    assert found.asked == len(set(model.asked))  # each text counts once


def test_two_words_are_changed_where_one_is_not_enough(wording: Wording) -> None:
    model = WordModel({"slow": -2.0, "loud": -2.0, "bias": 1.0, "fast": 0.5, "good": 0.5})
    found = counterfactuals(model, "bias slow loud room", wording=wording, label="yes")
    assert {tuple(edit.before for edit in each.edits) for each in found.found} == {("slow", "loud")}
    assert found.smaller_all_asked
    for each in found.found:
        for edit in each.edits:  # either one alone is not enough
            other = [kept for kept in each.edits if kept is not edit]
            text = edited("bias slow loud room", units_of("bias slow loud room"), other)
            assert model.predict([text])[0].label == "no"


def test_nothing_is_found_where_nothing_helps_and_the_budget_is_kept(wording: Wording) -> None:
    model = WordModel(dict.fromkeys(["slow", "loud", "rude", "cold", "dirty"], -9.0))
    text = "slow loud rude cold dirty room"
    found = counterfactuals(model, text, wording=wording, label="yes")
    assert found.found == () and 0 < found.asked < 2000
    assert sentences(found)[-1] == f"No such change was found with {found.asked} answers of the model."
    model.asked.clear()
    poor = counterfactuals(model, text, wording=wording, label="yes", options=CounterfactualOptions(budget=10))
    assert poor.asked == 10 == len(set(model.asked)) and not poor.smaller_all_asked


def test_denials_are_put_in_and_taken_off_in_both_languages() -> None:
    train = Examples(["1", "2"], ["房间不好", "我不喜欢"], ["no", "no"])
    wording = learn_wording(train)
    changes = {
        (each.before, each.after, each.kind)
        for text in ("It wasn't good", "The room is good", "房间 喜欢", "房间 不好吃")
        for each in edits_of(units_of(text), wording, {}, None, each=5)
        if each.kind in ("negate", "affirm")
    }
    assert ("wasn't", "was", "affirm") in changes
    assert ("is", "is not", "negate") in changes
    assert ("喜欢", "不喜欢", "negate") in changes


def test_signs_capitals_and_spaces_stay_as_they_were() -> None:
    units = units_of("Slow staff, cold food!")
    edits = edits_of(units, learn_wording(TRAIN), {}, find_opposites(), each=5)
    fast = next(each for each in edits if each.kind == "antonym")
    gone = next(each for each in edits if each.kind == "delete" and each.before == "staff,")
    assert edited("Slow staff, cold food!", units, [fast]) == "Fast staff, cold food!"
    assert edited("Slow staff, cold food!", units, [fast, gone]) == "Fast cold food!"


def test_what_makes_no_sense_is_refused(wording: Wording) -> None:
    with pytest.raises(ConfigError, match="answers 'yes' already"):
        counterfactuals(word_model(), "good", wording=wording, label="yes")
    with pytest.raises(ConfigError, match="no class 'maybe'"):
        counterfactuals(word_model(), "good", wording=wording, label="maybe")
    model = word_model()
    model.task = create_task(TaskConfig(type="regression"), {})
    with pytest.raises(ModelError, match="one class"):
        counterfactuals(model, "good", wording=wording)


def test_leaning_is_towards_the_class_whose_texts_have_the_word() -> None:
    wording = learn_wording(hotel_rows(200, seed=1))
    leaning = wording.leaning("yes")
    assert leaning["good"] > 2 > -2 > leaning["bad"] and abs(leaning["room"]) < 1


class Characters(WordModel):
    """The word model for texts without spaces: a word counts wherever it stands."""

    def scores(self, inputs: Sequence[Input]) -> Any:
        spaced = [" ".join(word for word in self.weights if word in str(item)) for item in inputs]
        return super().scores(spaced)


def test_chinese_words_are_changed_to_words_that_stand_in_such_places() -> None:
    texts = ["房间很干净", "房间很脏", "服务很热情", "服务很冷淡"] * 10
    train = Examples([str(row) for row in range(40)], texts, ["yes", "no"] * 20)
    model = Characters({"干净": 2.0, "热情": 2.0, "冷淡": -2.0})
    found = counterfactuals(model, "早餐很冷淡。", wording=learn_wording(train), label="yes")
    assert {each.item for each in found.found} == {"早餐很干净。", "早餐很热情。"}
    assert {each.edits[0].kind for each in found.found} == {"neighbour"}
