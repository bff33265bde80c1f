from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.audited import GOOD, WordModel, hotel_rows, hotel_subject, word_model
from tuneloop.audits.base import Outcome
from tuneloop.audits.robust.certified import radius
from tuneloop.audits.robust.texts import beyond
from tuneloop.audits.robustness import Robustness, RobustnessOptions
from tuneloop.audits.run import outcome_json
from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ConfigError
from tuneloop.data.examples import Examples
from tuneloop.data.perturbations.typos import Typos
from tuneloop.inference.attack import attack
from tuneloop.tasks import create_task


def audited(subject: Any, **options: Any) -> Outcome:
    return Robustness(RobustnessOptions(**options)).run(subject, lambda note: None)


class Cased(WordModel):
    """Knows words in small letters alone."""

    def scores(self, inputs: Any) -> Any:
        return super().scores([item if item.islower() else "" for item in inputs])


def sentiment(model: type[WordModel], texts: list[str], labels: list[str], weights: dict[str, float]) -> Any:
    task = create_task(TaskConfig(type="classification"), {"labels": ["negative", "positive"]})
    rows = Examples([str(row) for row in range(len(texts))], texts, list(labels))
    return hotel_subject(model(weights, task=task), test=rows, train=rows)


def test_a_model_that_fails_at_capital_letters_is_told_with_its_answers_before_and_after() -> None:
    subject = hotel_subject(Cased(word_model().weights))
    found = audited(subject)
    assert found.figures["failures.upper_case"].value == 0.5  # all answers "yes": a draw is "no"
    (alarm,) = [each for each in found.findings if each.fields["perturbation"] == "upper_case"]
    assert alarm.kind == "fragile"
    example = alarm.fields["examples"][0]
    assert (example["after"], example["answer_before"]) == (example["before"].upper(), "yes")
    shown = "".join(Robustness.parts(outcome_json(Robustness(RobustnessOptions()), found)))
    assert "augment: {perturbations: [" in shown and "upper_case" in shown.partition("augment:")[2]


def test_a_model_of_whole_words_raises_no_alarm_and_case_costs_it_nothing() -> None:
    subject = hotel_subject()
    found = audited(subject)
    assert not found.findings
    assert "failures.lower_case" not in found.figures  # the texts have no capital letter
    assert found.figures["failures.upper_case"].value == 0
    assert 0 <= found.figures["failures"].low <= found.figures["failures"].value < 0.1
    assert found.details["left_out"]["negation"] == "poles"
    assert found.details["answers"] == subject.model.asked


def test_a_row_draws_alike_whatever_other_rows_there_are() -> None:
    rows = hotel_rows(40, seed=3)
    whole, half = (
        audited(hotel_subject(test=part), perturbations=("typos",), limit=0.01).details["changed"]["typos"]
        for part in (rows, rows.select(range(0, 40, 2)))
    )
    assert whole == 2 * half
    kept: list[set[str]] = []
    for part in (rows, rows.select(range(0, 40, 2))):
        model = word_model()
        audited(hotel_subject(model, test=part), perturbations=("typos",))
        kept.append(set(map(str, model.asked)))
    assert kept[1] < kept[0]


def test_praise_that_stays_praise_under_negation_is_noted() -> None:
    texts = [f"The {word} {word} room is number {row} {word}" for row, word in enumerate(GOOD * 3)]
    weights = {word: 2.0 for word in GOOD} | {"not": -20.0}
    only = {"perturbations": ("negation",), "attack_rows": 0, "suite": False}
    deaf = audited(sentiment(WordModel, texts, ["positive"] * 24, {word: 2.0 for word in GOOD}), **only)
    fine = audited(sentiment(WordModel, texts, ["positive"] * 24, weights), **only)
    assert [each.kind for each in deaf.findings] == ["ignores_negation"]
    assert deaf.figures["failures.negation"].value == 1
    assert fine.figures["failures.negation"].value == 0
    assert not fine.findings


def test_chinese_texts_meet_chinese_perturbations_alone() -> None:
    class Characters(WordModel):
        def scores(self, inputs: Any) -> Any:
            return super().scores([" ".join(item) for item in inputs])

    texts = [f"这个房间很{word}，我住了{number}晚。" for word in "好美差脏" for number in "一二三四五六七八九十"]
    labels = ["positive" if text[5] in "好美" else "negative" for text in texts]
    found = audited(sentiment(Characters, texts, labels, {"好": 3.0, "美": 3.0, "差": -3.0, "脏": -3.0}))
    assert {"failures.swapped_characters", "failures.shapes", "failures.width"} <= found.figures.keys()
    assert not {"failures.typos", "failures.keyboard", "failures.upper_case"} & found.figures.keys()


def test_a_share_is_beyond_its_limit_only_where_chance_does_not_explain_it() -> None:
    assert beyond(60, 100, 0.25, looked_at=20)
    assert not beyond(30, 100, 0.25, looked_at=20)
    assert not beyond(2, 3, 0.25, looked_at=20)
    assert not beyond(0, 0, 0.25, looked_at=20)


def test_a_pole_that_is_no_label_is_an_error_and_tasks_without_classes_are_left_out() -> None:
    with pytest.raises(ConfigError, match="no label good"):
        audited(hotel_subject(), poles={"positive": "good"})
    number = create_task(TaskConfig(type="regression"), {})
    assert "regression" in Robustness(RobustnessOptions()).refuses(hotel_subject(WordModel({}, task=number)))


def test_the_attack_breaks_what_two_words_can_break_and_counts_its_questions() -> None:
    model = word_model()
    items = ["the good room was great for two nights", "the dirty room was awful for two nights"]
    first, second = (
        attack(
            model, [item], [label], perturbations=[Typos()], words_share=0.3,
            random=lambda number: np.random.default_rng(number),
        )[0]
        for item, label in zip(items, ("yes", "no"), strict=True)
    )  # fmt: skip
    assert first.broken is not None and first.broken.label == "no"
    assert sorted(items[0].split()[at] for at in first.changes) == ["good", "great"]
    assert second.broken is None  # without its bad words it is a draw, which is "no"
    assert len(second.changes) == second.most_changes == 2
    assert first.queries + second.queries + 2 == len(model.asked)


def test_more_words_that_may_be_changed_break_more_answers() -> None:
    shares = [
        audited(hotel_subject(), perturbations=("typos",), attack_kinds=("typos",), attack_share=share)
        for share in (0.1, 0.3)
    ]
    few, many = (found.figures["attack_success"].value for found in shares)
    assert few < many
    assert 0.4 < many < 0.6  # the answers "yes"
    assert shares[1].figures["attack_queries"].value > 10
    assert {each["answer_after"] for each in shares[1].details["attacks"]} == {"no"}


def test_an_attack_with_changes_of_whole_texts_is_refused() -> None:
    with pytest.raises(ConfigError, match="suffix"):
        audited(hotel_subject(), attack_kinds=("suffix",))


def test_our_own_tests_of_sentiment_are_run_where_the_poles_are_known_and_note_what_words_alone_cannot_know() -> None:
    weights = {"good": 3.0, "great": 3.0, "good.": 3.0, "great.": 3.0, "bad.": -3.0, "awful.": -3.0}
    found = audited(sentiment(WordModel, ["the room is good"] * 3, ["positive"] * 3, weights), attack_rows=0)
    assert found.figures["suite.en.added_praise"].value == 0
    assert found.figures["suite.en.names"].value == 0
    assert found.figures["suite.en.negated_praise"].value > 0.2  # it knows no "not"
    assert not [name for name in found.figures if name.startswith("suite.zh")]
    assert "en.negated_praise" in [each.fields.get("test") for each in found.findings]
    assert not [name for name in audited(hotel_subject(), attack_rows=0).figures if name.startswith("suite")]


def test_votes_certify_as_many_changes_as_the_bound_says() -> None:
    # 80 of 80 votes: at least 0.9633 of all; 0.75^2 = 0.5625 is above 1.5 - 0.9633 and 0.75^3 is not
    assert radius(80, 80, 0.75) == 2
    assert radius(80, 80, 0.54) == 1
    assert radius(45, 80, 0.75) == 0


def test_a_certified_answer_holds_against_every_change_of_a_word() -> None:
    texts = [
        "good great lovely fine warm quiet clean friendly good great lovely fine",
        "good room in a town by the sea",
    ]
    weights = word_model().weights
    options = {"certify_votes": 200, "attack_rows": 0, "perturbations": ("typos",), "suite": False}
    subject = sentiment(WordModel, texts, ["positive", "positive"], weights)
    found = audited(subject, **options)
    assert found.figures["certified.1"].value == 0.5
    assert found.figures["certified.1"].n == 2

    def wins(text: str) -> bool:
        keep = np.random.default_rng(0).random((3000, len(text.split()))) >= 0.75
        copies = [" ".join(word for word, stays in zip(text.split(), row, strict=True) if stays) for row in keep]
        return sum(each.label == "positive" for each in subject.bare.predict(copies)) > 1500

    words = texts[0].split()
    assert all(wins(" ".join([*words[:at], "awful", *words[at + 1 :]])) for at in range(len(words)))
