"""News in files, as they are and as they should not be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tuneloop.apps import Feeds, item_of, read_feed
from tuneloop.core.errors import DataError

RSS = """<?xml version="1.0"?>
<rss version="2.0"><channel><title>Wire</title>
<item><title>Acme fell</title><description>&lt;p&gt;By 9 &amp;amp; more.&lt;/p&gt;</description>
<guid>a1</guid><pubDate>Wed, 02 Oct 2002 13:00:00 GMT</pubDate></item>
<item><title>No date</title></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Posts</title>
<entry><title>Globex rose</title><id>urn:1</id><updated>2002-10-02T15:00:00+02:00</updated></entry></feed>"""


def written(path: Path, text: str, *, at: float = 1000.0) -> Path:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))
    return path


def test_rss_and_atom_give_text_time_id_and_source(tmp_path: Path) -> None:
    items, problems = read_feed(written(tmp_path / "a.xml", RSS))
    assert [(each.id, each.at, each.text) for each in items] == [("Wire/a1", 1033563600.0, "Acme fell. By 9 & more.")]
    assert len(problems) == 1 and "a.xml, 2" in problems[0]
    ((atom,), _) = read_feed(written(tmp_path / "b.atom", ATOM))
    assert (atom.id, atom.at, atom.text, atom.source) == ("Posts/urn:1", 1033563600.0, "Globex rose.", "Posts")


def test_tables_give_their_good_rows_and_name_the_others(tmp_path: Path) -> None:
    lines = ['{"text": "one", "time": 5, "id": "x"}', "{", "[1]", '{"text": "", "time": 5}', '{"text": "y"}']
    items, problems = read_feed(written(tmp_path / "a.jsonl", "\n".join(lines)))
    assert [each.id for each in items] == ["a/x"]
    assert len(problems) == 4
    items, problems = read_feed(
        written(tmp_path / "b.csv", 'time,text\n2026-01-31T12:00:00Z,"two, three"\n7,"never ends')
    )
    assert [each.text for each in items] == ["two, three"]
    assert len(problems) == 1


@pytest.mark.parametrize("text", ["<!DOCTYPE x [<!ENTITY a 'b'>]><rss/>", "<rss", "\x00"])
def test_what_is_no_plain_feed_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_feed(written(tmp_path / "a.rss", text))


@pytest.mark.parametrize("time", [None, "", "soon", "30m", "1e400", True, float("nan"), -1, "2026-13-01", 2e12, [1]])
def test_a_time_that_is_none_or_lies_ahead_is_refused(time: object) -> None:
    with pytest.raises(DataError, match="one: "):
        item_of({"text": "x", "time": time}, where="one", now=1000.0)


def test_the_same_item_has_the_same_id_and_signs_that_no_database_takes_are_replaced() -> None:
    plain = json.loads('{"text": "a\\ud800\\u0000b", "time": "3", "source": "s"}')
    first, second = item_of(plain, where="x"), item_of(plain, where="y")
    assert first == second
    assert first.text.encode() == b"a? b"


def test_a_file_is_read_when_it_changes_and_again_where_keeping_failed(tmp_path: Path) -> None:
    feeds, line = Feeds(tmp_path, clock=lambda: 2000.0), '{"text": "%s", "time": 5}\n'
    assert feeds.next() is None
    path = written(tmp_path / "a.jsonl", line % "one")
    failed = feeds.next()
    kept = feeds.next()
    assert failed == kept and kept is not None
    feeds.done(kept)
    assert feeds.next() is None
    written(path, line % "one" + line % "two", at=1001.0)
    again = feeds.next()
    assert again is not None and [each.text for each in again.items] == ["one", "two"]


def test_a_line_that_is_being_written_waits_for_its_end(tmp_path: Path) -> None:
    now = [1000.5]
    feeds = Feeds(tmp_path / "a.jsonl", clock=lambda: now[0])
    written(tmp_path / "a.jsonl", '{"text": "one", "time": 5}\n{"text": "two", "time": 6}')
    first = feeds.next()
    assert first is not None and [each.text for each in first.items] == ["one"]
    feeds.done(first)
    now[0] = 1010.0  # nobody writes any more: what stands there is all
    second = feeds.next()
    assert second is not None and [each.text for each in second.items] == ["one", "two"]


def test_what_is_wrong_with_a_file_is_told_until_it_is_mended(tmp_path: Path) -> None:
    feeds = Feeds(tmp_path, clock=lambda: 2000.0)
    path = written(tmp_path / "a.xml", "<rss")
    assert feeds.next() is None and "no feed" in feeds.problems["a.xml"]
    written(path, ATOM, at=1001.0)
    assert feeds.next() is not None and not feeds.problems
