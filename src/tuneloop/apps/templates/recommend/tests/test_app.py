"""The recommender as its clients see it; run `python pipeline.py` first."""

from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tuneloop.apps.running import asked, running

HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def server():
    """The address of a server on a free port."""
    with running(HERE) as url:
        yield url


def wish(server, **wanted):
    """What is recommended."""
    return asked(f"{server}/api/recommend", wanted)


def film(server, title):
    """The id of the most liked film with this title."""
    return asked(f"{server}/api/films?title={quote(title)}")[0]["id"]


def test_who_likes_a_film_is_shown_others_with_a_reason_and_never_the_film_itself(server):
    liked = [film(server, "Star Wars"), film(server, "Raiders of the Lost Ark")]
    told = wish(server, liked=liked)
    assert not {each["id"] for each in told["films"]} & set(liked)
    sequel = next(each for each in told["films"] if "Empire Strikes Back" in each["title"])
    assert sequel["because"]["film"] == "Star Wars"
    assert "series" in sequel["because"]["same"]
    assert sequel["because"]["people"] > 100


def test_a_new_user_types_what_they_look_for(server):
    told = wish(server, text="a horror film with a monster", count=5)
    assert sum("Horror" in each["genres"] for each in told["films"]) >= 3
    assert all(each["near_text"] for each in told["films"])


def test_a_new_film_is_found_by_its_text_before_anybody_has_rated_it(server):
    told = wish(server, liked=[film(server, "Toy Story")])
    assert told["new"][0]["title"] == "Toy Story 2"
    assert told["new"][0]["likes"] == 0


def test_who_says_nothing_is_shown_what_is_popular_and_an_unknown_film_is_told(server):
    told = wish(server, liked=["no such film"])
    assert told["unknown"] == ["no such film"]
    assert min(each["likes"] for each in told["films"]) > 200


def test_the_page_is_there(server):
    with urlopen(server, timeout=60) as answer:
        assert "What to watch" in answer.read().decode()
