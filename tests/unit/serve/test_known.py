"""An equal text is not computed again, and every request is answered and noted all the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig
from tuneloop.core.watching import WatchConfig
from tuneloop.serve.known import ENTRY_BYTES, KnownAnswers, size_bytes
from tuneloop.serve.slot import ServedModel
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction
from tuneloop.trail.read import records

RELEASED = {"manifest": "manifest of {}"}


class Judge:
    """All that is asked of a handle here."""

    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})


class Writing:
    """The same of one that writes."""

    task = create_task(TaskConfig(type="generation"), {"labels": []})


def served(*, handle=Judge, **given) -> ServedModel:
    return ServedModel("m-1", "fake", handle(), **{"manifest": "one", **given})


def found(label: str = "a", vector: np.ndarray | None = None) -> tuple[Prediction, np.ndarray | None]:
    return Prediction(label, {"a": 0.75, "b": 0.25}), vector


def test_a_text_that_was_answered_is_not_computed_again(start):
    live = start(described=RELEASED)
    first, again = live.predict("four"), live.predict("four")
    assert first.status == again.status == 200 and first.body == again.body
    assert live.model.computed == ["four"]
    assert [live.counter("tuneloop_answers_total", source=name) for name in ("computed", "known", "shared")] == [
        1,
        1,
        0,
    ]
    assert live.counter("tuneloop_texts_total", release="m-1") == 2
    assert live.counter("tuneloop_known_bytes") > ENTRY_BYTES


def test_of_several_texts_only_the_new_ones_are_computed_and_each_has_its_own_answer(start):
    live = start(described=RELEASED)
    live.predict("four")
    asked = live.ask("POST", "/v1/predict", {"texts": ["three", "four", "three", "a"]})
    assert [each["label"] for each in asked.body["predictions"]] == ["odd", "even", "odd", "odd"]
    assert live.model.computed == ["four", "three", "a"]
    assert [live.counter("tuneloop_answers_total", source=name) for name in ("computed", "known", "shared")] == [
        3,
        1,
        1,
    ]


def test_a_text_and_its_pair_are_no_other_pair_with_the_same_letters(start):
    live = start(task="pair", described=RELEASED)
    for text, pair in [("ab", "c"), ("a", "bc"), ("ab", "c")]:
        assert live.ask("POST", "/v1/predict", {"text": text, "pair": pair}).status == 200
    assert live.model.computed == [("ab", "c"), ("a", "bc")]


def test_nothing_is_kept_where_that_is_switched_off(start):
    live = start(described=RELEASED, answer_cache_mb=0)
    live.predict("four"), live.predict("four")
    assert live.model.computed == ["four", "four"]


@pytest.mark.parametrize("effect", [None, 0.02])
def test_answers_that_hang_on_their_neighbours_are_not_kept(start, effect):
    live = start(described=RELEASED | {"batch_effect": effect})
    live.predict("four"), live.predict("four")
    assert live.model.computed == ["four", "four"]


def test_another_release_computes_for_itself_and_the_first_still_knows_its_answers(start):
    live = start(described=RELEASED)
    releases = []
    for release in ("m-1", "m-2", "m-1"):
        assert live.ask("POST", f"/v1/models/{release}/activate").status == 200
        releases.append(live.predict("four").body["release"])
    assert releases == ["m-1", "m-2", "m-1"]
    assert live.models["m-2"].computed == ["four"]
    assert live.model.computed == []  # opened anew, and asked nothing


def test_a_request_is_answered_whole_by_one_release(start):
    live = start(described=RELEASED)
    live.predict("four")
    live.model.open_gate.clear()
    with ThreadPoolExecutor(2) as pool:
        busy = pool.submit(live.predict, "busy")
        live.until_computing()
        live.until_computing()
        asked = pool.submit(live.ask, "POST", "/v1/predict", {"texts": ["four", "three"]})
        live.until(lambda: live.waiting == 2)
        assert live.ask("POST", "/v1/models/m-2/activate").status == 200
        live.model.open_gate.set()
        assert busy.result().body["release"] == "m-1"
        assert asked.result().body["release"] == "m-2"
    assert live.models["m-2"].computed == ["four", "three"]


@pytest.mark.parametrize("megabytes", [0, 16])
def test_a_text_that_is_being_computed_is_computed_once_for_all_that_ask_for_it(start, megabytes):
    live = start(described=RELEASED, answer_cache_mb=megabytes)
    live.model.open_gate.clear()
    with ThreadPoolExecutor(5) as pool:
        replies = [pool.submit(live.predict, "same")]
        live.until_computing()
        replies += [pool.submit(live.predict, "same") for _ in range(4)]
        live.until(lambda: live.waiting == 4)
        live.model.open_gate.set()
        assert len({str(reply.result().body) for reply in replies}) == 1
    assert live.model.computed == ["same"] and live.waiting == 0
    assert live.counter("tuneloop_answers_total", source="shared") == 4
    assert live.counter("tuneloop_texts_total", release="m-1") == 5


def test_who_asks_after_an_exchange_is_not_answered_by_the_release_before(start):
    live = start(described=RELEASED)
    live.model.open_gate.clear()
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(live.predict, "same")
        live.until_computing()
        assert live.ask("POST", "/v1/models/m-2/activate").status == 200
        after = pool.submit(live.predict, "same")
        live.until(lambda: live.waiting == 1)
        live.model.open_gate.set()
        assert (before.result().body["release"], after.result().body["release"]) == ("m-1", "m-2")


def test_a_failure_is_not_remembered(start):
    live = start(described=RELEASED)
    assert [live.predict("poison").status for _ in range(2)] == [500, 500]
    assert live.model.computed == ["poison", "poison"]


def test_a_known_answer_comes_while_the_model_is_busy_and_the_queue_is_full(start):
    live = start(described=RELEASED, max_queue=1)
    live.predict("four")
    live.until_computing()
    live.model.open_gate.clear()
    with ThreadPoolExecutor(2) as pool:
        busy = pool.submit(live.predict, "busy")
        live.until_computing()
        waiting = pool.submit(live.predict, "waiting")
        live.until(lambda: live.waiting == 1)
        assert live.predict("other").status == 429
        assert live.predict("four").status == 200
        live.model.open_gate.set()
        assert busy.result().status == waiting.result().status == 200


def test_events_and_the_trail_have_every_request(start, tmp_path: Path):
    live = start(described=RELEASED, watch=WatchConfig(events="texts"), trail="answers")
    names = [live.predict("four").headers["x-request-id"] for _ in range(3)]
    assert live.model.computed == ["four"]
    live.until(lambda: live.ask("GET", "/v1/events").body["written"] == 3)
    for name in names:
        given = {"event": f"{name}.0", "good": True}
        assert live.ask("POST", "/v1/feedback", given, Idempotency_Key=f"key-{name}").status == 201
    trail = tmp_path / "workspace" / "trail"
    assert {each["request"] for each in records(trail) if each["kind"] == "answer"} == set(names)


def test_an_explanation_leaves_no_answers_to_its_parts(start):
    live = start(described=RELEASED)
    asked = {"text": "one two three", "method": "shapley"}
    assert live.ask("POST", "/v1/explain", asked).status == 200
    computed = len(live.model.computed)
    live.predict("one two three")
    assert len(live.model.computed) == computed + 1


def test_no_text_is_held_and_a_hash_is_another_in_every_process():
    one, other = KnownAnswers(10_000), KnownAnswers(10_000)
    for cache in (one, other):
        cache.keep(served(), {"what nobody may read": found()}, vectors=False)
    assert "nobody" not in repr(vars(one))
    assert one._answers.keys() != other._answers.keys()


def test_the_answers_that_were_not_asked_for_longest_leave_first():
    each = ENTRY_BYTES + size_bytes(found())
    cache, model = KnownAnswers(3 * each), served()
    for text in "abc":
        cache.keep(model, {text: found()}, vectors=False)
    cache.find(model, "a", vectors=False)
    cache.keep(model, {"d": found()}, vectors=False)
    assert set(cache.find(model, "abcd", vectors=False)) == {"a", "c", "d"}
    assert cache.bytes == 3 * each


def test_an_answer_larger_than_all_there_is_room_for_is_not_kept():
    cache = KnownAnswers(ENTRY_BYTES)
    cache.keep(served(), {"a": found()}, vectors=False)
    assert cache.bytes == 0 and not cache.find(served(), "a", vectors=False)


def test_answers_with_and_without_vectors_are_kept_apart_and_a_vector_does_not_hold_its_batch():
    batch = np.ones((1000, 8), np.float32)
    cache, model = KnownAnswers(10_000), served()
    cache.keep(model, {"a": found(vector=batch[0])}, vectors=True)
    assert not cache.find(model, "a", vectors=False)
    _, vector = cache.find(model, "a", vectors=True)["a"]
    assert vector.base is None and cache.bytes < 2000


@pytest.mark.parametrize(
    "other", [{"manifest": "two"}, {"manifest": ""}, {"batch_effect": 0.01}, {"handle": Writing}], ids=str
)
def test_a_model_knows_no_answers_of_another(other):
    cache = KnownAnswers(10_000)
    cache.keep(served(), {"a": found()}, vectors=False)
    assert cache.find(served(), "a", vectors=False) == {"a": found()}
    cache.keep(served(**other), {"b": found("b")}, vectors=False)
    known = cache.find(served(**other), "ab", vectors=False)
    assert known == ({"b": found("b")} if other.get("manifest") else {})


def test_the_same_release_with_another_engine_computes_for_itself():
    cache, model = KnownAnswers(10_000), served()
    cache.keep(model, {"a": found()}, vectors=False)
    assert not cache.find(ServedModel("m-1", "other", Judge(), manifest="one"), "a", vectors=False)


def test_nothing_of_it_is_written(start, tmp_path: Path):
    live = start(described=RELEASED)
    before = sorted(tmp_path.rglob("*"))
    live.predict("four")
    assert sorted(tmp_path.rglob("*")) == before
