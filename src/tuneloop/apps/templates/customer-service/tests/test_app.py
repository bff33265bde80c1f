"""The desk as its clients see it; run `python pipeline.py` first."""

from pathlib import Path
from urllib.request import urlopen

import pytest

from tuneloop.apps.running import asked, running

HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def desk():
    """The address of a desk on a free port."""
    with running(HERE) as url:
        yield url


def test_an_answer_has_its_source(desk):
    told = asked(f"{desk}/api/message", {"text": "How long is the warranty on my camera?"})
    assert "three years for cameras" in told["answer"]
    assert told["citations"][0]["document"] == "handbook/warranty.md"
    assert not told["hand_over"]


def test_the_details_of_a_message_are_found(desk):
    told = asked(f"{desk}/api/message", {"text": "Please cancel order A77777"})
    assert told["details"]["order"] == ["A77777"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("I want to talk to a human being", "asked for a person"), ("Colourless green ideas", "not sure what is wanted")],
)
def test_what_the_desk_cannot_do_goes_to_a_person(desk, text, reason):
    told = asked(f"{desk}/api/message", {"text": text})
    assert told["hand_over"] == reason
    assert not told["answer"]


def test_what_people_say_of_an_answer_is_kept(desk):
    event = asked(f"{desk}/api/message", {"text": "my card was refused"})["event"]
    kept = asked(f"{desk}/v1/feedback", {"event": event, "label": "payment_problem", "key": event})
    assert kept["label"] == "payment_problem"


def test_the_page_is_there(desk):
    with urlopen(desk, timeout=60) as answer:
        assert "Help desk" in answer.read().decode()
