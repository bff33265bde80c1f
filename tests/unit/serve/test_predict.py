"""What is asked and what is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

KEYS = {"label", "probabilities", "truncated"}


def test_one_text_and_several_are_answered_in_their_order(start):
    live = start()
    one = live.predict("four")
    assert one.status == 200 and one.body["release"] == "m-1"
    assert one.body["predictions"] == [
        {"label": "even", "probabilities": {"even": 0.8, "odd": 0.2}, "truncated": False}
    ]
    several = live.ask("POST", "/v1/predict", {"texts": ["four", {"text": "three"}, "你好吗"]})
    assert [each["label"] for each in several.body["predictions"]] == ["even", "odd", "odd"]
    assert all(each.keys() == KEYS for each in several.body["predictions"])


def test_pairs_are_judged_together(start):
    live = start(task="pair")
    asked = live.ask("POST", "/v1/predict", {"texts": [{"text": "a", "pair": "b"}]})
    alone = live.ask("POST", "/v1/predict", {"text": "a", "pair": "b"})
    assert asked.status == alone.status == 200
    assert live.model.computed == [("a", "b"), ("a", "b")]
    assert live.predict("a").status == 422


def test_equal_texts_are_computed_once(start):
    live = start()
    asked = live.ask("POST", "/v1/predict", {"texts": ["same", "other", "same"]})
    assert live.model.computed == ["same", "other"]
    assert asked.body["predictions"][0] == asked.body["predictions"][2]


def nested(depth: int) -> bytes:
    return b'{"texts":' + b"[" * depth + b"]" * depth + b"}"


MISTAKES: list[tuple[Any, int, str, str]] = [
    (b"", 400, "not valid JSON", "JSON"),
    (b'{"text": "a', 400, "not valid JSON", "JSON"),
    (b'{"text": "\xff"}', 400, "not valid JSON", "JSON"),
    (b'{"text": "\\ud800"}', 400, "not valid JSON", "JSON"),
    (nested(5000), 400, "not valid JSON", "JSON"),
    (b"[]", 422, "must be a JSON object", "JSON"),
    ({}, 422, "either text or texts", "text"),
    ({"text": "a", "texts": ["b"]}, 422, "either text or texts", "text"),
    ({"texts": []}, 422, "field texts", "texts"),
    ({"texts": ["a", 3]}, 422, "field texts.1", "texts.1"),
    ({"texts": [{"pair": "a"}]}, 422, "field texts.0", "texts.0"),
    ({"text": None}, 422, "either text or texts", "text"),
    ({"text": "a", "labels": True}, 422, "no field labels", "labels"),
    ({"text": "a", "pair": "b"}, 422, "judges single texts", "pair"),
    ({"text": "a" * 51}, 413, "too long", "0"),
    ({"texts": ["a", "b", "c", "d"]}, 413, "4 texts", "4"),
]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_mistake_is_one_clear_problem_in_the_language_of_the_client(start, language):
    live = start(max_text_chars=50, max_texts=3)
    for body, status, english, both in MISTAKES:
        reply = live.ask("POST", "/v1/predict", body, Accept_Language=f"{language}-XX,en;q=0.5")
        assert (reply.status, reply.body["status"]) == (status, status), body
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.body.keys() == {"type", "title", "status", "detail", "hint"}
        assert both in reply.body["detail"] and reply.body["hint"]
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in reply.body["title"])
        assert chinese == (language == "zh")
        assert language == "zh" or english in reply.body["detail"]
    assert live.model.computed == []


def test_unknown_paths_and_methods_are_problems_too(start):
    live = start()
    for method, path, status in (("GET", "/nope", 404), ("GET", "/v1/predict", 405), ("GET", "/v1/../etc/passwd", 404)):
        reply = live.ask(method, path)
        assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")


def test_a_text_on_which_the_model_fails_fails_alone(start, caplog):
    live = start()
    texts = ["first", *[f"text {number}" for number in range(20)], "poison", *[f"more {n}" for n in range(20)]]
    replies = live.ask_together(texts)
    assert {text for text, reply in replies.items() if reply.status != 200} == {"poison"}
    assert replies["poison"].status == 500
    assert "poison" not in json.dumps(replies["poison"].body)
    assert "poison" not in caplog.text
    assert any(len(batch) > 20 and "poison" in batch for batch in live.model.batches)
