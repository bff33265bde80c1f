"""Requests to a model of several modalities, and requests of such to one that judges texts: none reaches it unread."""

from __future__ import annotations

import base64
import threading

import pytest

from tests.media import square, tone, wav
from tuneloop.core.config import TaskConfig
from tuneloop.core.watching import WatchConfig
from tuneloop.media import store
from tuneloop.media.items import compose, parse
from tuneloop.serve import schemas
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction


class Seeing:
    """Says whether there is an image; remembers what it was given."""

    name = "seeing"

    def __init__(self, *, pairs: bool = False) -> None:
        self.task = create_task(TaskConfig(type="pair" if pairs else "classification"), {"labels": ["no", "yes"]})
        self.modalities = ("text", "image", "tabular")
        self.open_gate, self.computed = threading.Event(), []
        self.open_gate.set()

    def predict(self, inputs):
        self.computed += inputs
        seen = [any("image" in parse(text) for text in ((each,) if isinstance(each, str) else each)) for each in inputs]
        return [Prediction("yes" if each else "no", {"no": 1.0 - each, "yes": float(each)}) for each in seen]

    def close(self) -> None:
        """Nothing to let go of."""


def uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


RED = uri(square("red"))


def test_what_stands_beside_a_text_is_one_item_with_it(start):
    live = start(writer=Seeing)
    texts = [{"text": "a", "image": RED, "tabular": {"price": 3.5, "shop": "north"}}, {"image": RED}, "a"]
    reply = live.ask("POST", "/v1/predict", {"texts": texts})
    assert [each["label"] for each in reply.body["predictions"]] == ["yes", "yes", "no"]
    first, second, third = map(parse, live.model.computed)
    assert first == {"text": "a", "image": second["image"], "tabular": {"price": "3.5", "shop": "north"}}
    assert third == {"text": "a"} and store.fetch(second["image"], []) == square("red")
    one = live.ask("POST", "/v1/predict", {"image": RED})
    assert one.status == 200 and len(one.body["predictions"]) == 1


@pytest.mark.parametrize(
    ("beside", "complaint"),
    [
        ({"image": "a.png"}, "image: It is no data URI"),
        ({"image": "/etc/passwd"}, "image: It is no data URI"),
        ({"image": "0" * 64}, "image: It is no data URI"),
        ({"image": uri(b"no image")}, "image: This is no image"),
        ({"image": uri(wav(tone(440)))}, "image: This is no image"),
        ({"image": f"{RED[:40]}\u00e9"}, "image: A data URI is no base64"),
        ({"audio": uri(wav(tone(440)))}, "judges text, image, tabular, and was given audio, text"),
        ({"text": "  "}, "was given nothing"),
        ({"tabular": {"price": [1]}}, "texts.1"),
        ({"tabular": {}, "text": ""}, "was given nothing"),
        ({"pair": "b"}, "judges single texts"),
    ],
)
def test_what_cannot_be_read_never_reaches_the_model(start, beside, complaint):
    live = start(writer=Seeing)
    reply = live.ask("POST", "/v1/predict", {"texts": ["a", {"text": "b"} | beside]})
    assert reply.status == 422 and complaint in reply.body["detail"] and reply.body["hint"]
    assert not live.model.computed
    assert live.ask("POST", "/v1/predict", {"text": "a"}).status == 200


def test_a_model_of_texts_is_given_texts_alone(start):
    live = start()
    for beside in ({"image": RED}, {"tabular": {"price": 1}}):
        for body in ({"text": "a"} | beside, beside, {"texts": ["a", {"text": "b"} | beside]}):
            reply = live.ask("POST", "/v1/predict", body)
            assert reply.status == 422 and "judges texts alone" in reply.body["detail"], body
        assert live.ask("POST", "/v1/explain", {"text": "a b"} | beside).status == 422
    assert live.ask("POST", "/v1/predict", {"texts": [{}]}).status == 422
    assert not live.model.computed
    item = compose({"image": "0" * 64})
    assert live.predict(item).status == 200 and live.model.computed == [item]  # a text as any other


def test_a_text_is_never_taken_for_an_item_which_could_name_any_file_of_the_server(start):
    live = start(writer=Seeing)
    item = compose({"image": store.remember(square("red"))})
    for body in ({"text": item}, {"texts": [item]}, {"texts": [{"text": item}]}):
        assert live.ask("POST", "/v1/predict", body).body["predictions"][0]["label"] == "no"
    assert set(live.model.computed) == {compose({"text": item})}
    assert live.ask("POST", "/v1/explain", {"text": item, "unit": "modality"}).body["text"] == item


def test_of_a_pair_what_stands_beside_the_text_is_found_by_it(start):
    live = start(writer=lambda: Seeing(pairs=True))
    for body in ({"text": "a", "image": RED}, {"texts": [{"text": "a", "image": RED, "pair": "b"}]}):
        assert live.ask("POST", "/v1/predict", body).status == 200
    first, second = live.model.computed
    assert [list(parse(text)) for text in first] == [["text"], ["image"]]
    assert [list(parse(text)) for text in second] == [["text"], ["text", "image"]]
    for body in ({"text": "a"}, {"image": RED}, {"text": "a", "image": uri(b"no image")}):
        assert live.ask("POST", "/v1/predict", body).status == 422


def test_every_modality_is_explained_and_its_file_decoded_once(start, monkeypatch):
    checked = []
    check = schemas.check
    monkeypatch.setattr(schemas, "check", lambda kind, data: checked.append(kind) or check(kind, data))
    live = start(writer=Seeing)
    found = live.ask("POST", "/v1/explain", {"text": "a b", "image": RED, "unit": "modality"}).body
    assert [(unit["text"], unit["value"]) for unit in found["units"]] == [("a b", 0), ("[image]", 1)]
    assert (found["base"], found["output"], found["error_kind"]) == (0, 1, "exact") and checked == ["image"]
    words = live.ask("POST", "/v1/explain", {"text": "a b", "tabular": {"price": 3, "shop": "x"}, "target": "no"}).body
    assert [unit["text"] for unit in words["units"]] == ["a", "b", "price = 3", "shop = x"]
    assert words["text"] == "a b\nprice = 3\nshop = x"
    assert live.ask("POST", "/v1/explain", {"image": uri(b"no image"), "unit": "modality"}).status == 422


@pytest.mark.parametrize("kept", [False, True])
def test_files_are_kept_in_the_workspace_where_texts_are(start, tmp_path, kept):
    live = start(writer=Seeing, watch=WatchConfig(events="texts" if kept else "hashes"))
    image = uri(square("blue", 77))
    assert live.ask("POST", "/v1/predict", {"text": "a", "image": image}).status == 200
    media = tmp_path / "workspace" / "media"
    assert [path.read_bytes() for path in media.rglob("*") if path.is_file()] == [square("blue", 77)] * kept


def test_a_body_is_as_large_as_it_may_be(start):
    live = start(writer=Seeing, max_body_bytes=1024)
    assert live.ask("POST", "/v1/predict", {"text": "a", "image": "data:;base64," + "A" * 2000}).status == 413
    assert not live.model.computed
