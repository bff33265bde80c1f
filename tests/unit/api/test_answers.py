"""A release that stays open: asked by many, opened once, and what it writes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.audited import hotel_rows, word_model
from tuneloop.api.answers import Answering
from tuneloop.inference.in_turn import GivenUp
from tuneloop.releases.read import Release


class Words:
    """Stands for a release: a model without a folder, which counts how often it is opened and closed."""

    id, path, documents = "words-1", Path("w/releases/words-1"), None

    def __init__(self) -> None:
        self.info = {"data_hash": "none"}
        self.opened = self.closed = 0

    def predictor(self, engine: str | None = None) -> Any:
        self.opened += 1
        model: Any = word_model()
        model.mended = list
        model.close = lambda: setattr(self, "closed", self.closed + 1)
        return model


@pytest.fixture
def words() -> Any:
    return Words()


def open_answering(release: Any) -> Answering:
    answering = Answering(release)
    train = hotel_rows(80, seed=1)
    answering.__dict__["_snapshot"] = SimpleNamespace(split=lambda name: train)
    return answering


def test_many_threads_ask_one_model_and_it_is_closed_at_the_end(words: Any) -> None:
    with open_answering(words) as model, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: model.predict([f"good {number}"])[0].label, range(40)))
        assert found == ["yes"] * 40
        assert model.task.name == "classification" and model.refuses() == "" and not model.documents
    assert (words.opened, words.closed) == (1, 1)


def test_reasons_are_those_of_the_python_door(words: Any) -> None:
    with open_answering(words) as model:
        found = model.explain("the good room", method="shapley", options={"answers": 64})
        values = {unit.text: value for unit, value in zip(found.units, found.values, strict=True)}
        assert values["good"] > 0.3 and abs(values["room"]) < 1e-6
        changed = model.counterfactual("the good room", budget=200)
        assert changed.found and changed.found[0].answer == "no"
        near, influences = model.evidence("the good room")
        assert near.seen == "words" and len(near.rows) == 5 and influences is None
        model.evidence("the bad room")
    assert words.opened == 2  # the rows are read by a model of their own, once


def test_what_nobody_waits_for_is_given_up(words: Any) -> None:
    with open_answering(words) as model, pytest.raises(GivenUp):
        model.explain("the good room", wanted=lambda: False)


def test_what_is_written_is_told_piece_by_piece_and_can_be_stopped(talking_model: Path) -> None:
    with Answering(Release("talk-1", talking_model, {"engine": "torch-fp32"})) as model:
        pieces: list[str] = []
        said = [{"role": "user", "content": "a good b good good"}]
        answer = model.write(said, pieces.append)
        assert answer == "".join(pieces) and len(pieces) > 1
        assert answer == model.predict(["a good b good good"])[0].label
        pieces.clear()
        with pytest.raises(GivenUp):
            model.write(said, pieces.append, wanted=lambda: len(pieces) < 1)
        assert len(pieces) == 1
