"""`tuneloop watch` as a whole, on files."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.streams import events
from tuneloop.api import alerts, watched
from tuneloop.api.events import event_series
from tuneloop.cli.app import run
from tuneloop.core.errors import DataError, TuneloopError
from tuneloop.core.i18n import use_language
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.personal_data import redact
from tuneloop.releases import scorecard
from tuneloop.watch.base import Feedback
from tuneloop.watch.drift.files import read_events, read_feedback
from tuneloop.watch.drift.page import watch_html
from tuneloop.watch.drift.reference import read_reference
from tuneloop.watch.sqlite_store import SqliteStore


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    stream = events(200, seed=1) + events(300, seed=2, foreign=0.5, first=200)
    lines = "".join(json.dumps(asdict(event)) + "\n" for event in stream)
    (tmp_path / "events.jsonl").write_text(lines)
    said = [{"key": str(n), "event": f"r.{n}", "good": n % 4 > 0, "label": None, "at": n} for n in range(40)]
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(each) + "\n" for each in [*said, said[0]]))
    (tmp_path / "watch.yaml").write_text(
        "data: {source: rows.csv}\n"
        "watch: {drift: {reference: events, reference_events: 100, window: 50, detectors: [length, labels, latency],"
        " slices: [country], warnings: early.yaml}}\n"
    )
    (tmp_path / "early.yaml").write_text(
        "warnings: [{name: waa, words: [waa], labels: ['no'], every_s: 60, false_alarms_per_month: 1}]\n"
    )
    monkeypatch.setattr("tuneloop.releases.index.newest", lambda name, workspace: "hotel-1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_alarms_are_said_written_and_told_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["watch", "hotel", "--events", "events.jsonl", "--feedback", "said.jsonl", "--config", "watch.yaml", "-q"]
    assert run([*command, "-w", "ws"]) == 1
    folder = place / "ws" / "watch" / "hotel-1"
    found = json.loads((folder / "watch.json").read_text())
    assert found["detectors"]["length"]["alarm"] and not found["detectors"]["labels"]["alarm"]
    assert found["accuracy"]["measured"]["value"] == 0.75 and found["accuracy"]["measured"]["n"] == 40
    assert "longer than in the reference" in capsys.readouterr().err
    told = (folder / "alerts.jsonl").read_text().splitlines()
    assert run([*command, "-w", "ws", "--json"]) == 1
    assert (folder / "alerts.jsonl").read_text().splitlines() == told and told
    assert json.loads(capsys.readouterr().out)["report"].endswith("watch.html")
    english = (folder / "watch.html").read_text()
    assert "<svg" in english and "xa" in english and "<script" not in english
    use_language("zh")
    try:
        assert "观察 hotel-1" in watch_html(found) and "数值随时间的变化" in watch_html(found)
    finally:
        use_language(None)


def test_a_line_that_is_no_event_is_named(place: Path) -> None:
    path = place / "events.jsonl"
    with path.open("a") as file:
        file.write('{"id": "x"}\n')
    with pytest.raises(DataError, match="line 501"):
        read_events(path)
    (place / "said.jsonl").write_text('{"key": 1}\n')
    with pytest.raises(DataError, match="line 1"):
        read_feedback(place / "said.jsonl", [])


def test_what_the_server_kept_is_watched_by_default(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.move("watch.yaml", "tuneloop.yaml")
    stream = read_events(place / "events.jsonl")
    store = SqliteStore(Workspace(place / ".tuneloop").events)
    store.add_events(stream)
    store.add_feedback([Feedback(f"k{n}", stream[n].id, None, n % 4 > 0, 1e9 + n) for n in range(40)])
    store.close()
    assert run(["watch", "hotel", "-q", "--json"]) == 1
    kept = json.loads(capsys.readouterr().out)
    assert run(["watch", "hotel", "-q", "--json", "--events", "events.jsonl", "--feedback", "said.jsonl"]) == 1
    given = json.loads(capsys.readouterr().out)
    assert kept["accuracy"]["measured"]["n"] == 40
    assert kept["detectors"] == given["detectors"] and kept["accuracy"] == given["accuracy"]


def test_what_was_found_and_told_can_be_read_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert watched("hotel-1", workspace=place / "ws") is None and alerts("hotel-1", workspace=place / "ws") == []
    run(["watch", "hotel", "--events", "events.jsonl", "--config", "watch.yaml", "-q", "-w", "ws"])
    found = watched("hotel-1", workspace=place / "ws")
    assert found is not None and found["detectors"]["length"]["alarm"]
    told = alerts("hotel-1", workspace=place / "ws")
    assert len(told) == len((place / "ws" / "watch" / "hotel-1" / "alerts.jsonl").read_text().splitlines())
    assert all(each["told"].keys() == {"log"} for each in told)
    (place / "ws" / "watch" / "hotel-1" / "watch.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        watched("hotel-1", workspace=place / "ws")
    with pytest.raises(TuneloopError, match="not a valid name"):
        alerts("../hotel-1", workspace=place / "ws")


def test_the_python_door_counts_over_time(place: Path) -> None:
    with pytest.raises(DataError, match="There are no events"):
        event_series("hotel-1")
    store = SqliteStore(Workspace(place / ".tuneloop").events)
    store.add_events(read_events(place / "events.jsonl"))
    store.close()
    found = event_series("hotel-1")
    assert sum(each.events for each in found) == 500 and len(found) > 20
    late = event_series("hotel-1", since=15_000.0)
    assert sum(each.events for each in late) == 250 and all(each.took_ms(0.5) for each in late)


@pytest.mark.parametrize("raw", [False, True])
def test_the_reference_is_as_raw_as_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raw: bool
) -> None:
    """And one that was kept before `watch.raw` was changed is made again."""
    texts = [f"{event.text} mail me: ann{n}@example.com" for n, event in enumerate(events(300, seed=1))]
    rows = Examples([str(n) for n in range(300)], texts, ["yes"] * 300)
    answer = SimpleNamespace(label="yes", probabilities={"yes": 0.9, "no": 0.1}, abstained=False)
    subject = SimpleNamespace(
        snapshot=SimpleNamespace(split=lambda name: rows.select(range(200) if name == "dev" else range(200, 300))),
        predictor=SimpleNamespace(predict=lambda inputs: [answer] * len(inputs), close=lambda: None),
    )
    monkeypatch.setattr("tuneloop.releases.index.newest", lambda name, workspace: "hotel-1")
    monkeypatch.setattr("tuneloop.releases.read.open_release", lambda name, workspace: name)
    monkeypatch.setattr(scorecard, "subject_of", lambda release, workspace: subject)
    monkeypatch.chdir(tmp_path)
    for kept in (not raw, raw):
        Path("watch.yaml").write_text(
            "data: {source: rows.csv}\n"
            f"watch: {{raw: {str(kept).lower()}, drift: {{reference_events: 100, window: 50, "
            "detectors: [vocabulary]}}\n"
        )
        shown = (lambda text: text) if kept else redact
        served = [replace(event, text=shown(f"{event.text} mail me: ann{n}@example.com"), release="hotel-1")
                  for n, event in enumerate(events(300, seed=5))]  # fmt: skip
        Path("events.jsonl").write_text("".join(json.dumps(asdict(event)) + "\n" for event in served))
        assert run(["watch", "hotel", "--events", "events.jsonl", "--config", "watch.yaml", "-w", "ws", "-q"]) == 0
        capsys.readouterr()
    reference = read_reference(tmp_path / "ws" / "watch" / "hotel-1" / "reference.parquet")
    assert all(("@example.com" in str(event.text)) == raw for event in reference.events)


def test_a_line_separator_within_a_text_ends_no_line(place: Path) -> None:
    first, *rest = (place / "events.jsonl").read_text().splitlines()
    text = json.loads(first) | {"text": "one\u2028two"}
    (place / "events.jsonl").write_text("\n".join([json.dumps(text, ensure_ascii=False), *rest]), encoding="utf-8")
    stream = read_events(place / "events.jsonl")
    assert len(stream) == len(rest) + 1 and "one\u2028two" in {each.text for each in stream}
