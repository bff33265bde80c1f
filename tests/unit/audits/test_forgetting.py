from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.audited import BAD, GOOD, WordModel, hotel_rows, hotel_subject, word_model
from tuneloop.audits.base import Outcome, Subject
from tuneloop.audits.forgetting import Forgetting, ForgettingOptions
from tuneloop.data.examples import Examples
from tuneloop.evaluation.predictions import Predictions
from tuneloop.knowledge.facts import Case
from tuneloop.knowledge.reasons import Outcome as Ruled


def audited(subject: Subject, **options: Any) -> Outcome:
    return Forgetting(ForgettingOptions(**options)).run(subject, lambda note: None)


def with_earlier(model: WordModel, rows: Examples, before: WordModel) -> Subject:
    scores = before.scores(rows.inputs)
    answers = Predictions(rows, before.task.decide(scores), scores, before.task.labels)
    return replace(hotel_subject(model), earlier={"hotel-1": rows}, earlier_answers={"hotel-1": answers})


def test_a_model_that_unlearnt_words_is_an_alarm_and_one_that_kept_them_is_not() -> None:
    rows = hotel_rows(150, seed=9)
    half = WordModel({word: 2.0 for word in GOOD[:3]} | {word: -2.0 for word in BAD[:3]})
    outcome = audited(with_earlier(half, rows, word_model()))
    (found,) = outcome.findings
    assert (found.kind, found.fields["name"], found.fields["before"]) == ("forgotten", "hotel-1", 1.0)
    assert found.fields["lost"] > 10 and found.fields["high"] < 0
    assert "hotel-1" in Forgetting.sentence("forgotten", found.fields)
    kept = audited(with_earlier(word_model(), rows, word_model()))
    assert not kept.findings and kept.figures["change.hotel-1"].value == 0
    better = audited(with_earlier(word_model(), rows, half))
    assert not better.findings and (better.figures["change.hotel-1"].low or 0) > 0


def test_what_rules_mend_is_not_forgotten() -> None:
    class Mended(WordModel):
        """Knows few words; the rules of its folder know them all."""

        def mended(self, inputs: Any) -> Any:
            return inputs

        @property
        def knowledge(self) -> Any:
            def apply(case: Case, kind: str) -> Ruled:
                return Ruled("yes" if set(case.text.split()) & set(GOOD) else "no")

            return SimpleNamespace(book=SimpleNamespace(apply=apply))

    rows = hotel_rows(150, seed=9)
    half = {word: 2.0 for word in GOOD[:3]} | {word: -2.0 for word in BAD[:3]}
    outcome = audited(with_earlier(Mended(half), rows, word_model()))
    assert not outcome.findings and outcome.figures["change.hotel-1"].value == 0


def test_rows_that_the_model_has_learnt_from_are_left_out_and_counted() -> None:
    rows = hotel_rows(100, seed=9)
    subject = with_earlier(word_model(), rows, word_model())
    learnt = rows.select(range(30))
    subject = replace(subject, train=replace(learnt, texts=[text.upper() for text in learnt.texts]))
    outcome = audited(subject)
    assert outcome.figures["seen.hotel-1"].value == 30
    assert outcome.figures["score.hotel-1"].n == 70


def test_classes_that_the_model_no_longer_knows_are_named() -> None:
    rows = hotel_rows(60, seed=9)
    rows = replace(rows, labels=["maybe" if row < 6 else label for row, label in enumerate(rows.labels)])
    outcome = audited(replace(hotel_subject(), earlier={"hotel-1": rows}))
    assert [(each.kind, each.fields["labels"]) for each in outcome.findings] == [("unlearnt_class", ["maybe"])]
    assert outcome.figures["score.hotel-1"].n == 54 and "change.hotel-1" not in outcome.figures


def test_an_earlier_release_with_fewer_classes_is_compared_by_the_names_of_its_classes() -> None:
    from tuneloop.audits.forgetting import _answers

    rows = hotel_rows(4, seed=1)
    before = Predictions(rows, list(rows.labels), np.array([[0.9, 0.1]] * 4, np.float32), ("yes", "no"))
    scores = _answers(before, rows.select([2, 0]), word_model().task)
    assert scores is not None and scores.tolist() == np.array([[0.1, 0.9]] * 2, np.float32).tolist()
    assert _answers(before, hotel_rows(4, seed=2), word_model().task) is None


def test_a_first_release_has_nothing_to_forget_but_probes_can_be_named(tmp_path: Path) -> None:
    assert Forgetting(ForgettingOptions()).refuses(hotel_subject())
    probe = hotel_rows(40, seed=11)
    lines = ["text,label", *(f"{text},{label}" for text, label in zip(probe.texts, probe.labels, strict=True))]
    path = tmp_path / "probe.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    options: dict[str, Any] = {"probes": {"basics": str(path)}}
    assert not Forgetting(ForgettingOptions(**options)).refuses(hotel_subject())
    assert audited(hotel_subject(), **options).figures["score.basics"].value == 1.0
