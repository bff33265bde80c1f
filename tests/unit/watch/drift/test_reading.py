"""Where texts are kept, vectors are read from them when they are watched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.streams import events
from tuneloop.cli.app import run
from tuneloop.core.drifting import DriftConfig
from tuneloop.core.errors import ReleaseError
from tuneloop.watch.base import Event
from tuneloop.watch.drift.monitor import monitor
from tuneloop.watch.drift.reading import TextVectors


class Reader:
    """A model whose vectors tell one domain from the other; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, inputs: Sequence[Any]) -> np.ndarray:
        self.asked += inputs
        texts = [item if isinstance(item, str) else item[0] for item in inputs]
        return np.array([[text.count("x"), text.count("w"), len(text) % 7] for text in texts], dtype=np.float32)


def bare(stream: Sequence[Event]) -> list[Event]:
    return [replace(event, vector=None) for event in stream]


def test_each_text_is_read_once_and_only_new_ones_again(tmp_path: Path) -> None:
    first, reader = bare(events(30, seed=1)), Reader()
    twice = replace(first[0], id="again")
    vectors = TextVectors(reader, tmp_path / "deep" / "vectors.npy")
    found = vectors([*first, twice])
    assert len(reader.asked) == 30 and [event.id for event in found] == [event.id for event in [*first, twice]]
    assert [list(event.vector) for event in found[:30]] == Reader()([event.text for event in first]).tolist()
    assert list(found[30].vector) == list(found[0].vector)
    later = [*first[10:], replace(first[0], id="pair", pair="and more"), replace(first[3], id="none", text=None)]
    reader.asked.clear()
    again = TextVectors(reader, tmp_path / "deep" / "vectors.npy")(later)
    assert reader.asked == [(first[0].text, "and more")] and again[-1].vector is None
    reader.asked.clear()
    vectors(first)  # what was gone in between is read again: nothing stays of texts that are gone
    assert reader.asked == [event.text for event in first[:10]]


def test_where_nothing_can_be_read_any_more_nothing_is_kept(tmp_path: Path) -> None:
    stream, path = bare(events(3, seed=1)), tmp_path / "vectors.npy"
    TextVectors(Reader(), path)(stream)
    other = bare(events(3, seed=2))
    assert TextVectors(lambda inputs: None, path)(other) == other
    reader = Reader()
    TextVectors(reader, path)(stream)
    assert reader.asked == [event.text for event in stream]


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    stream, reader, path = bare(events(5, seed=1)), Reader(), tmp_path / "vectors.npy"
    TextVectors(reader, path)(stream)
    path.write_bytes(path.read_bytes()[:-3] + b"abc")
    TextVectors(reader, path)(stream)
    assert len(reader.asked) == 10
    TextVectors(reader, path)(stream)
    assert len(reader.asked) == 10


def test_what_was_read_before_an_interruption_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneloop.watch.drift.reading.AT_ONCE", 4)
    stream, reader, path = bare(events(12, seed=1)), Reader(), tmp_path / "vectors.npy"

    def interrupted(inputs: Sequence[Any]) -> np.ndarray:
        if len(reader.asked) == 8:
            raise KeyboardInterrupt
        return reader(inputs)

    with pytest.raises(KeyboardInterrupt):
        TextVectors(interrupted, path)(stream)
    assert path.stat().st_mode & 0o077 == 0  # a vector tells much of its text
    TextVectors(reader, path)(stream)
    assert reader.asked == [event.text for event in stream]


def test_texts_are_read_as_they_are_shown_and_a_model_without_vectors_leaves_all_as_it_is(tmp_path: Path) -> None:
    stream, reader = events(3, seed=1), Reader()
    TextVectors(reader, tmp_path / "vectors.npy", shown=lambda text: text.replace("w", "_"))(stream)
    assert all("w" not in text for text in reader.asked)
    assert TextVectors(lambda inputs: None, tmp_path / "none.npy")(stream) == stream
    assert not (tmp_path / "none.npy").exists()


@pytest.mark.parametrize("foreign", [0.0, 0.3])
def test_a_change_of_meaning_is_seen_in_texts_alone(foreign: float, tmp_path: Path) -> None:
    stream = bare(events(300, seed=1) + events(600, seed=2, foreign=foreign, first=300))
    config = DriftConfig(reference="events", reference_events=100, window=50, detectors=("classifier", "embedding"))
    vectors = TextVectors(Reader(), tmp_path / "vectors.npy")
    for read, seen in ((None, False), (vectors, foreign > 0)):
        found = monitor("hotel-1", stream, [], reference=None, config=config, read=read, quiet=True)
        assert bool(found["detectors"]["classifier"]["alarm"]) is seen
        assert found["detectors"]["classifier"]["skipped"] is (read is None)


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_the_command_reads_them_with_the_release(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, closed = Reader(), []
    predictor = SimpleNamespace(
        has_vectors=True,
        read=lambda inputs: SimpleNamespace(vectors=reader(inputs)),
        close=lambda: closed.append(True),
    )
    release = SimpleNamespace(
        info={"config": {"data": {"source": "rows.csv"}, "task": {"type": task}}}, predictor=lambda engine: predictor
    )
    monkeypatch.setattr("tuneloop.releases.index.newest", lambda name, workspace: "hotel-1")
    monkeypatch.setattr("tuneloop.releases.read.open_release", lambda name, workspace: release)
    monkeypatch.chdir(tmp_path)
    stream = events(300, seed=1) + events(600, seed=2, foreign=0.3, first=300)
    Path("events.jsonl").write_text("".join(json.dumps(asdict(event)) + "\n" for event in bare(stream)))
    Path("watch.yaml").write_text(
        "data: {source: rows.csv}\n"
        "watch: {drift: {reference: events, reference_events: 100, window: 50, detectors: [classifier]}}\n"
    )
    status = run(["watch", "hotel", "--events", "events.jsonl", "--config", "watch.yaml", "-q", "-w", "ws"])
    capsys.readouterr()
    if task == "tagging":  # there is no vector for each text
        assert (status, reader.asked, closed) == (0, [], [])
    else:
        path = tmp_path / "ws" / "watch" / "hotel-1" / "vectors.npy"
        assert (status, len(reader.asked), closed) == (1, 900, [True]) and path.is_file()
        command = ["watch", "hotel", "--events", "events.jsonl", "--config", "watch.yaml", "-q", "-w", "ws"]
        assert run(command) == 1 and len(reader.asked) == 900 and closed == [True]  # not even opened again
        Path("events.jsonl").write_text("".join(json.dumps(asdict(event)) + "\n" for event in stream))
        assert run(command) == 1 and len(reader.asked) == 900 and not path.exists()  # there are vectors already
        capsys.readouterr()


def test_a_release_that_cannot_be_opened_is_told_and_the_rest_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def damaged(name: str, workspace: object) -> None:
        raise ReleaseError("The release hotel-1 is damaged.", "Make it again.")

    monkeypatch.setattr("tuneloop.releases.index.newest", lambda name, workspace: "hotel-1")
    monkeypatch.setattr("tuneloop.releases.read.open_release", damaged)
    monkeypatch.chdir(tmp_path)
    stream = bare(events(300, seed=1) + events(300, seed=2, foreign=0.5, first=300))
    Path("events.jsonl").write_text("".join(json.dumps(asdict(event)) + "\n" for event in stream))
    Path("watch.yaml").write_text(
        "data: {source: rows.csv}\n"
        "watch: {drift: {reference: events, reference_events: 100, window: 50, detectors: [classifier, length]}}\n"
    )
    assert run(["watch", "hotel", "--events", "events.jsonl", "--config", "watch.yaml", "-w", "ws"]) == 1
    assert "Texts are not read: The release hotel-1 is damaged." in capsys.readouterr().err
