"""A model that several threads ask in turn, and answers that come piece by piece."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.audited import word_model
from tuneloop.core.errors import ModelError
from tuneloop.core.turns import Turns
from tuneloop.explain.quick import quick_method
from tuneloop.inference.in_turn import PORTION, GivenUp, InTurn
from tuneloop.inference.predictor import open_predictor
from tuneloop.inference.streaming import stream


class Watched:
    """A model that tells a test when it is asked."""

    name = "watched"

    def __init__(self, asked: Any) -> None:
        self.model, self.task, self.asked = word_model(), word_model().task, asked

    def scores(self, inputs: Any) -> Any:
        self.asked(list(inputs))
        return self.model.scores(inputs)

    def predict(self, inputs: Any) -> Any:
        self.asked(list(inputs))
        return self.model.predict(inputs)


def test_portions_are_the_whole_in_order() -> None:
    texts = [f"good {number}" if number % 3 else f"bad {number}" for number in range(2 * PORTION + 5)]
    portions: list[Any] = []
    model: Any = Watched(portions.append)
    turn = InTurn(model, Turns())
    assert (turn.scores(texts) == word_model().scores(texts)).all()
    assert [len(each) for each in portions] == [PORTION, PORTION, 5]
    assert turn.predict(texts) == word_model().predict(texts)
    assert turn.scores([]).shape == (0, 2) and turn.predict([]) == []


def test_what_nobody_waits_for_is_given_up_before_the_next_portion() -> None:
    asked: list[Any] = []
    model: Any = Watched(asked.append)
    turn = InTurn(model, Turns(), wanted=lambda: len(asked) < 2)
    with pytest.raises(GivenUp):
        turn.scores(["good"] * 10 * PORTION)
    assert len(asked) == 2


def test_a_short_question_comes_in_between_two_portions_of_a_long_one() -> None:
    lock = Turns()
    order: list[str] = []
    begun, done = threading.Event(), threading.Event()
    model: Any = Watched(lambda inputs: (order.append(inputs[0]), begun.set()))

    def short() -> None:
        assert begun.wait(30)
        InTurn(model, lock).predict(["short"])
        done.set()

    thread = threading.Thread(target=short)
    thread.start()
    with pytest.raises(GivenUp):  # a question without end, but for the short one that is let in
        InTurn(model, lock, wanted=lambda: not done.is_set()).predict(["long"] * PORTION * 100_000)
    thread.join(30)
    assert order[0] == "long" and "short" in order


@pytest.mark.parametrize(
    ("item", "method"),
    [("one two three", "shapley"), ("1 2 3 4 5 6 7", "occlusion"), (("a b", "c d e f g"), "occlusion")],
)
def test_few_words_get_exact_values_and_more_words_quick_ones(item: Any, method: str) -> None:
    assert quick_method(item)[0] == method


def test_pieces_of_a_stream_are_the_answer_that_was_evaluated(talking_model: Path) -> None:
    writer: Any = open_predictor(talking_model)
    for prompt in ("a good b good good", "system c bad bad bad"):
        pieces = list(stream(writer, prompt))
        assert len(pieces) > 1
        assert "".join(pieces) == writer.predict([prompt])[0].label


def test_a_conversation_without_room_for_an_answer_is_refused_in_words(talking_model: Path) -> None:
    writer: Any = open_predictor(talking_model)
    writer.prompts = lambda inputs: ([[5] * writer.context_tokens], [False])
    with pytest.raises(ModelError, match="no room"):
        next(stream(writer, "a"))
