"""The writer as its clients see it; run `python pipeline.py` first."""

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tuneloop.apps.running import asked, running

HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def writer():
    """The address of a writer on a free port."""
    with running(HERE) as url:
        yield url


def test_slips_are_corrected_and_shown_and_names_and_numbers_stay(writer):
    told = asked(f"{writer}/api/write", {"action": "correct", "text": "I recieved 1,250 euros from Mr Smyth tomorow."})
    assert told["answer"] == "I received 1,250 euros from Mr Smyth tomorrow."
    assert ["del", "recieved"] in told["differences"]
    assert ["ins", "tomorrow"] in told["differences"]
    assert not told["refused"]


@pytest.mark.parametrize("action", ["rewrite", "continue", "summarise", "tone"])
def test_every_action_answers_with_its_differences(writer, action):
    text = "The meeting is moved to another day."
    told = asked(f"{writer}/api/write", {"action": action, "text": text, "tone": "formal"})
    assert "".join(part for kind, part in told["differences"] if kind != "ins") == text
    assert told["answer"] or told["refused"]


@pytest.mark.parametrize(
    ("action", "answer", "refused"),
    [
        ("rewrite", "Anna pays 80 euros.", True), ("rewrite", "60 euros are paid by Anna.", False),
        ("tone", "Somebody pays 60 euros.", True), ("summarise", "Somebody pays.", False),
        ("summarise", "Then Peter pays.", True), ("continue", "Then Peter pays 5 more.", False), ("rewrite", " ", True),
    ],
)  # fmt: skip
def test_an_answer_that_changes_numbers_or_names_is_refused(writer, action, answer, refused):
    told = asked(f"{writer}/api/check", {"action": action, "text": "Today Anna pays 60 euros.", "answer": answer})
    assert told["refused"] is refused


def test_an_answer_comes_word_by_word(writer):
    body = asked(f"{writer}/api/prepare", {"action": "continue", "text": "It rained."}) | {"max_tokens": 4}
    request = Request(f"{writer}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=120) as answer:
        events = answer.read().decode().split("\n\n")
    assert events[-2] == "data: [DONE]"
    assert len(events) > 3


def test_an_action_that_does_not_exist_is_refused(writer):
    with pytest.raises(HTTPError) as refusal:
        asked(f"{writer}/api/write", {"action": "translate", "text": "Hello"})
    assert refusal.value.code == 422


def test_the_page_is_there(writer):
    with urlopen(writer, timeout=60) as answer:
        assert "Writing" in answer.read().decode()
