"""The monitor as its clients see it; run `python pipeline.py` first."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

HERE = Path(__file__).parents[1]
FEED = (
    "<rss version='2.0'><channel><title>Wire</title><item><title>Meridian Air issued a profit warning</title>"
    "<guid>w1</guid><pubDate>Sun, 04 Jan 2026 10:00:00 GMT</pubDate></item></channel></rss>"
)


class Monitor:
    """One in its own process, with its own folder."""

    def __init__(self, data):
        self.process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=HERE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PORT": "0", "DATA": str(data)},
        )  # fmt: skip
        told = self.process.stdout.readline()
        assert "open at" in told, told
        self.url = told.split()[-1]

    def post(self, *items):
        """What became of items."""
        body = json.dumps({"items": items}).encode()
        with urlopen(
            Request(f"{self.url}/api/items", body, {"Content-Type": "application/json"}), timeout=60
        ) as answer:
            return json.load(answer)

    def state(self, until):
        """What the page shows, once `until` holds."""
        for _ in range(300):
            with urlopen(f"{self.url}/api/state?hours=720", timeout=60) as answer:
                state = json.load(answer)
            if until(state):
                return state
            time.sleep(0.1)
        raise AssertionError(state)

    def end(self, *, kill=False):
        """Stop it, or take its process away at once."""
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(30)


def item(number, hour, text):
    """An item of an hour of January."""
    return {"id": str(number), "source": "test", "time": 1_767_225_600 + 3600 * hour, "text": text}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the monitors of these tests keep what has come."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def monitor(folder):
    """A monitor that was killed once in between, after a burst was accepted."""
    items = []
    for hour in range(60):
        items += [item(f"{hour}.{number}", hour, "Corvia opened a new office in Lisbon.") for number in range(3)]
        if 50 <= hour < 54:
            items += [item(f"{hour}.b{number}", hour, "Lumora Stores issued a profit warning.") for number in range(5)]
    first = Monitor(folder)
    assert first.post(*items) == {"accepted": len(items), "known": 0}
    first.end(kill=True)
    second = Monitor(folder)
    assert second.post(*items) == {"accepted": 0, "known": len(items)}
    yield second, len(items)
    second.end()


def test_what_was_accepted_survives_a_kill_and_counts_once_and_the_burst_is_told_once(monitor, folder):
    running, count = monitor
    state = running.state(lambda state: state["looked_at"] >= count)
    lumora = next(one for one in state["companies"] if one["id"] == "lumora")
    assert (state["items"], lumora["negative"]) == (count, 20)
    (alarm,) = state["alarms"]
    assert (
        alarm["name"] == "lumora"
        and 50 * 3600 <= alarm["since"] - 1_767_225_600 < alarm["at"] - 1_767_225_600 <= 54 * 3600
    )
    assert len((folder / "alerts.jsonl").read_text().splitlines()) == 1


def test_a_feed_in_the_folder_is_read_once_with_companies_and_the_rule_that_decided(monitor, folder):
    running, count = monitor
    (folder / "inbox").mkdir()
    (folder / "inbox" / "new").write_text(FEED)
    (folder / "inbox" / "new").rename(folder / "inbox" / "wire.xml")
    (folder / "inbox" / "bad.jsonl").write_text("{\n")
    state = running.state(lambda state: state["items"] == count + 1 and state["problems"])
    warned = next(one for one in state["latest"] if one["source"] == "Wire")
    assert warned["label"] == "negative" and warned["about"] == ["Meridian Air"]
    assert not warned["why"] or "profit-warning" in warned["why"]
    assert "bad.jsonl" in state["problems"]


def test_an_item_that_cannot_be_used_is_refused_by_its_place(monitor):
    with pytest.raises(HTTPError) as refused:
        monitor[0].post(item("x", 60, "fine"), {"text": "no time"})
    assert refused.value.code == 422 and "items[1]" in json.load(refused.value)["detail"]


def test_the_page_is_there(monitor):
    with urlopen(monitor[0].url, timeout=60) as answer:
        assert "Opinion monitor" in answer.read().decode()
