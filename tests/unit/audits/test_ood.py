"""What the audits of foreign texts and of sets of classes say, on models of which the truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audited import BAD, GOOD, OTHER, WordModel, hotel_rows, hotel_subject, word_model
from tuneloop.abstaining.abstainer import Abstainer, Calibrated
from tuneloop.abstaining.base import Reading
from tuneloop.abstaining.conformal import LabelSets
from tuneloop.abstaining.max_softmax import MaxSoftmax
from tuneloop.audits.base import Outcome, Subject
from tuneloop.audits.conformal import Conformal, ConformalOptions
from tuneloop.audits.ood import OutOfDistribution, OutsideOptions
from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import DataError
from tuneloop.tasks import create_task


class Embedding(WordModel):
    """The word model with vectors: how many letters of each kind a text has; its logits do not see them."""

    def read(self, inputs: Any) -> Reading:
        probabilities = self.scores(inputs)
        letters = [
            [str(text).count(letter) / len(str(text)) for letter in "abcdefghijklmnopqrstuvwxyz "] for text in inputs
        ]
        return Reading(probabilities, np.log(np.maximum(probabilities, 1e-9)), np.float32(letters))


def hotel(model: Any = None) -> Subject:
    return hotel_subject(model, test=hotel_rows(150, seed=3), train=hotel_rows(300, seed=1))


def audit(subject: Subject, **options: Any) -> Outcome:
    return OutOfDistribution(OutsideOptions(**options)).run(subject, lambda _: None)


@pytest.fixture
def numbers(tmp_path: Path) -> str:
    (tmp_path / "numbers.txt").write_text("\n".join(f"{n} good {n * n} lovely {n + 19}" for n in range(120)))
    return str(tmp_path / "numbers.txt")


def test_vectors_tell_what_probabilities_do_not(numbers: str) -> None:
    model = Embedding(word_model().weights)
    found = audit(hotel(model), outside=(numbers,))
    assert found.details["detector"] in ("mahalanobis", "neighbours") and found.details["vectors"]
    assert found.figures["auroc.numbers.txt"].value > 0.95 < found.figures["auroc"].value
    assert found.figures["caught.numbers.txt"].value > 0.9
    assert found.figures["false_alarms"].low <= 0.05 and not found.findings
    names = {row["detector"] for row in found.details["table"]}
    assert names == {"max_softmax", "energy", "mahalanobis", "neighbours"}


def test_a_set_that_no_detector_tells_is_noted_and_figures_are_of_the_half_that_chose_nothing(tmp_path: Path) -> None:
    lines = hotel_rows(160, seed=77).texts
    (tmp_path / "more.txt").write_text("\n".join(lines))
    model = word_model()
    found = audit(hotel(model), outside=(str(tmp_path / "more.txt"),))
    assert [(each.kind, each.fields["set"]) for each in found.findings] == [("blind", "more.txt")]
    assert "more.txt" in OutOfDistribution.sentence("blind", found.findings[0].fields)
    assert found.figures["auroc"].low < 0.5 < found.figures["auroc"].high
    assert not found.details["vectors"]
    foreign = found.figures["auroc.more.txt"].n
    assert 20 <= foreign < 150 and set(found.details["sets"]["more.txt"]) <= set(lines)


def test_ones_own_texts_are_no_set_from_outside(tmp_path: Path) -> None:
    subject = hotel()
    (tmp_path / "own.txt").write_text("\n".join(subject.train.texts))
    with pytest.raises(DataError, match="are the model's own"):
        audit(subject, outside=(str(tmp_path / "own.txt"),))
    with pytest.raises(DataError, match="only 3 texts"):
        (tmp_path / "own.txt").write_text("one 1\ntwo 2\nthree 3")
        audit(subject, outside=(str(tmp_path / "own.txt"),))


def conformal(subject: Subject, **options: Any) -> Outcome:
    return Conformal(ConformalOptions(**options)).run(subject, lambda _: None)


def unsure() -> WordModel:
    """A model of which no two answers are equal."""
    random = np.random.default_rng(0)
    return WordModel({word: float(random.normal()) for word in (*GOOD, *BAD, *OTHER)})


def as_it_says(seed: int, n: int, *, flipped: float = 0.0) -> Any:
    """Rows that have each label as often as the model says, but for those that are flipped."""
    rows, random = hotel_rows(n, seed=seed), np.random.default_rng(seed)
    yes = unsure().scores(rows.inputs)[:, 1]
    yes = yes * (1 - flipped) + (1 - yes) * flipped
    return replace(rows, labels=["yes" if random.random() < each else "no" for each in yes])


def test_sets_keep_their_promise_on_rows_of_the_same_kind_and_raise_no_alarm() -> None:
    subject = replace(hotel(unsure()), dev=as_it_says(2, 200), test=as_it_says(3, 300))
    found = conformal(subject)
    assert found.figures["coverage"].low <= 0.9 <= found.figures["coverage"].high
    assert 1 < found.figures["set_size"].value <= 2 and not found.findings
    assert sum(found.details["sizes"].values()) == 300


def test_a_test_split_that_is_harder_than_dev_is_an_alarm() -> None:
    subject = replace(hotel(unsure()), dev=as_it_says(2, 200), test=as_it_says(3, 300, flipped=0.4))
    found = conformal(subject)
    assert found.findings[0].kind == "undercoverage" and found.figures["coverage"].high < 0.85
    assert "where 90%" in Conformal.sentence("undercoverage", found.findings[0].fields)


def test_what_has_no_classes_is_left_out_and_so_is_a_promise_on_too_few_rows() -> None:
    model = WordModel({word: 1.0 for word in GOOD}, task=create_task(TaskConfig(type="regression"), {}))
    assert "one class" in OutOfDistribution(OutsideOptions()).refuses(hotel_subject(model))
    assert "one class" in Conformal(ConformalOptions()).refuses(hotel_subject(model))
    assert "needs 99" in Conformal(ConformalOptions(coverage=0.99)).refuses(hotel())
    assert not Conformal(ConformalOptions()).refuses(hotel()) and not OutOfDistribution(OutsideOptions()).refuses(
        hotel()
    )


def test_what_ships_in_a_release_is_what_is_judged(numbers: str) -> None:
    model = Embedding(word_model().weights)
    subject = hotel(model)
    dev = model.read(subject.dev.inputs)
    model.abstainer = Abstainer((Calibrated.on(MaxSoftmax(), dev),), 0.2, LabelSets(0.5, 0.99, 150))
    found = audit(subject, outside=(numbers,))
    own = audit(hotel(Embedding(word_model().weights)), outside=(numbers,))
    assert found.details["detector"] == "max_softmax" != own.details["detector"]
    assert found.details["shipped"] and not own.details["shipped"]
    assert found.figures["false_alarms"].value != own.figures["false_alarms"].value
    sets = Conformal(ConformalOptions()).run(subject, lambda _: None).details
    assert (sets["promised"], sets["least"], sets["shipped"]) == (0.5, 0.99, True)
