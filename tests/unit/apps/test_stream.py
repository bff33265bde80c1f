"""Items that are judged and kept; the release is a route that counts how often it is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request

from tuneloop.apps import Item, Stream
from tuneloop.core.errors import StorageError

REASON = {"rule": "warning", "before": "positive", "after": "negative", "matched": "warning", "flag": False}


def judging(asked: list[str]) -> FastAPI:
    server = FastAPI()

    @server.post("/v1/predict")
    async def predict(request: Request) -> dict[str, Any]:
        texts = (await request.json())["texts"]
        asked.extend(texts)
        answers = [{"label": "negative", "probabilities": {"negative": 0.6}, "because": [REASON]} for _ in texts]
        return {"release": "m-1", "predictions": answers}

    return server


def item(number: int, *, at: float = 0.0) -> Item:
    return Item(f"s/{number}", at, f"text {number}", "s")


def test_what_was_kept_is_there_after_a_restart_and_is_judged_and_counted_once(tmp_path: Path) -> None:
    asked: list[str] = []
    first = Stream(
        judging(asked), tmp_path / "items.sqlite", window_s=100, tags=lambda given: {"about": given.text[-1]}
    )
    many = [item(number) for number in range(150)]
    assert asyncio.run(first.keep([*many, many[0]])) == 150
    second = Stream(judging(asked), tmp_path / "items.sqlite", window_s=100)
    assert asyncio.run(second.keep([*many, item(150)])) == 1
    assert len(asked) == len(set(asked)) == len(second) == len(second.recent) == 151
    event = second.recent[3]
    assert (event.at, event.label, event.rules, event.tags["about"]) == (0.0, "negative", ("warning",), "3")
    assert event.tags["why"] == "warning: positive → negative “warning”"


def test_the_same_items_at_the_same_time_count_once(tmp_path: Path) -> None:
    asked: list[str] = []
    stream = Stream(judging(asked), tmp_path / "items.sqlite", window_s=100)

    async def twice() -> list[int]:
        return await asyncio.gather(stream.keep([item(1), item(2)]), stream.keep([item(2), item(3)]))

    assert asyncio.run(twice()) == [2, 1]
    assert len(asked) == 3


def test_only_the_window_before_the_newest_is_recent_and_late_items_do_not_move_it(tmp_path: Path) -> None:
    stream = Stream(judging([]), tmp_path / "items.sqlite", window_s=100)
    asyncio.run(stream.keep([item(1, at=1000), item(2, at=1090), item(3, at=5000)]))
    asyncio.run(stream.keep([item(4, at=4950), item(5, at=10)]))
    assert [event.id for event in stream.recent] == ["s/3", "s/4"]
    assert (len(stream), stream.newest) == (5, 5000)


def test_what_the_disk_refuses_is_not_counted_and_may_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(judging([]), tmp_path / "items.sqlite", window_s=100)

    def refuse(*_: object) -> None:
        raise StorageError("full", "make room")

    with monkeypatch.context() as disk:
        disk.setattr("tuneloop.watch.sql_store.SqlStore.add_events", refuse)
        with pytest.raises(StorageError):
            asyncio.run(stream.keep([item(1)]))
    assert len(stream) == 0
    assert asyncio.run(stream.keep([item(1)])) == 1
