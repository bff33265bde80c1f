"""The chain on disk: what a change to it leaves behind, and what a crash does."""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tuneloop.cli.trail import _text
from tuneloop.core.errors import ConfigError, StorageError
from tuneloop.core.hashing import canonical_json
from tuneloop.data.personal_data import redact
from tuneloop.trail import veil as veiling
from tuneloop.trail import writer as writing
from tuneloop.trail.chain import GENESIS, Head, link, read_head, trail_files
from tuneloop.trail.read import records
from tuneloop.trail.veil import filled, is_sealed_in, make_secret, seal
from tuneloop.trail.verify import verify
from tuneloop.trail.writer import TrailWriter

KEY, OTHER = b"k" * 32, b"o" * 32


def write(folder: Path, count: int, *, key: bytes | None = None, start: int = 0) -> None:
    trail = TrailWriter(folder, key=key)
    trail.start()
    for number in range(start, start + count):
        trail.add({"kind": "answer", "value": number}, _raise)
    trail.close()


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def kinds(folder: Path, **given) -> list[tuple[str, int]]:
    return [(flaw.kind, flaw.line) for flaw in verify(folder, **given).flaws]


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    write(tmp_path / "trail", 6)
    return tmp_path / "trail"


def lines(folder: Path) -> list[bytes]:
    return trail_files(folder)[-1].read_bytes().splitlines(keepends=True)


def put(folder: Path, changed: list[bytes]) -> None:
    trail_files(folder)[-1].write_bytes(b"".join(changed))


def test_the_chain_goes_on_over_restarts_and_days(trail: Path) -> None:
    today = trail_files(trail)[-1]
    today.rename(trail / "2020-01-01.jsonl")
    write(trail, 2, start=6)
    found = verify(trail)
    assert found.whole and (found.lines, found.files) == (8, 2)
    assert [each["value"] for each in records(trail)] == list(range(8))
    assert read_head(trail) == (found.head, "")


def test_the_clock_going_back_does_not_put_the_chain_in_disorder(trail: Path) -> None:
    trail_files(trail)[-1].rename(trail / "2999-12-31.jsonl")
    write(trail, 2, start=6)
    assert len(trail_files(trail)) == 1 and verify(trail).whole


def test_every_change_of_a_line_is_found_in_its_place(trail: Path) -> None:
    whole, head = lines(trail), verify(trail).head.hash
    assert kinds(trail, head=head) == []

    put(trail, [*whole[:2], whole[2].replace(b'"value":2', b'"value":9'), *whole[3:]])
    assert kinds(trail) == [("changed", 3)]
    put(trail, [*whole[:2], b" " + whole[2], *whole[3:]])  # even where it means the same
    assert kinds(trail) == [("changed", 3)]
    put(trail, whole[:2] + whole[3:])
    assert kinds(trail) == [("missing", 3)]
    put(trail, whole[1:])
    assert kinds(trail) == [("missing", 1)]
    put(trail, [*whole[:2], whole[3], whole[2], *whole[4:]])
    assert {line for _, line in kinds(trail)} >= {3, 4}
    inserted, _ = link({"kind": "answer", "value": 7}, Head(2, json.loads(whole[1])["hash"]), None)
    put(trail, [*whole[:2], inserted, *whole[2:]])
    assert ("order", 4) in kinds(trail)
    put(trail, whole[:-1])
    assert kinds(trail) == [("head", 0)]
    assert kinds(trail, head=head) == [("head", 0), ("head", 0)]
    put(trail, [*whole[:-1], whole[-1][:-9]])
    assert kinds(trail)[0] == ("torn", 6)
    put(trail, whole)
    trail_files(trail)[-1].rename(trail / "2020-01-01.jsonl")
    assert kinds(trail) == []
    (trail / "2020-01-01.jsonl").unlink()
    assert kinds(trail) == [("head", 0)]


def forged(folder: Path, whole: list[bytes], place: int) -> None:
    """From a place on a chain that is right in itself, up to the noted head."""
    before = json.loads(whole[place - 1])
    head, made = Head(place, before["hash"]), []
    for line in whole[place:]:
        body = {key: each for key, each in json.loads(line).items() if key not in ("n", "previous", "hash", "mac")}
        line, head = link(body | {"value": 99}, head, None)
        made.append(line)
    put(folder, [*whole[:place], *made])
    (folder / "head.json").write_bytes(canonical_json({"count": head.count, "hash": head.hash}))


def test_a_chain_written_anew_is_found_by_a_noted_head_or_by_signatures_and_by_nothing_else(tmp_path: Path) -> None:
    for key in (None, KEY):
        folder = tmp_path / str(key is None)
        write(folder, 6, key=key)
        noted = verify(folder, key=key)
        assert noted.whole and noted.signed == (6 if key else 0)
        forged(folder, lines(folder), 3)
        assert verify(folder).whole  # which is why heads are noted and keys are set
        assert not verify(folder, head=noted.head.hash).whole
    assert {("signature", 4), ("signature", 5), ("signature", 6), ("signature", 0)} == set(kinds(folder, key=KEY))
    assert ("signature", 1) in kinds(folder, key=OTHER)
    assert not verify(tmp_path / "True", key=KEY).whole  # nothing is signed, though there is a key


def test_a_signed_trail_goes_on_with_its_own_key_only(tmp_path: Path) -> None:
    write(tmp_path, 2)
    write(tmp_path, 2, key=KEY)  # a key may come later
    assert verify(tmp_path, key=KEY).whole
    for wrong in (None, OTHER):
        with pytest.raises(StorageError, match="another key"):
            write(tmp_path, 1, key=wrong)
    write(tmp_path, 1, key=KEY)
    assert verify(tmp_path, key=KEY).signed == 3


def test_a_torn_line_is_cut_off_at_the_next_start_and_the_trail_says_so(trail: Path) -> None:
    whole = lines(trail)
    for cut in (1, len(whole[-1]) - 1):  # of a line behind the head
        write(trail, 1)
        noted = (trail / "head.json").read_bytes()
        extra, _ = link({"kind": "answer", "value": "new"}, verify(trail).head, None)
        put(trail, [*lines(trail), extra[:cut]])
        assert [kind for kind, _ in kinds(trail)] == ["torn"]
        assert (trail / "head.json").read_bytes() == noted
        opened = TrailWriter(trail)
        opened.start()
        opened.close()
        assert opened.torn is not None and opened.torn.size_bytes == cut
        last = json.loads(lines(trail)[-1])
        assert (last["kind"], last["removed_bytes"]) == ("repaired", cut)
        assert verify(trail).whole


def test_a_trail_that_has_lost_lines_or_was_changed_at_its_end_is_not_gone_on_with(trail: Path) -> None:
    whole = lines(trail)
    for damaged in (whole[:-1], [*whole[:-1], whole[-1].replace(b'"value":5', b'"value":6')]):
        put(trail, damaged)
        with pytest.raises(StorageError, match=r"changed|missing"):
            write(trail, 1)
        assert lines(trail) == damaged
    put(trail, whole)
    write(trail, 1)
    assert verify(trail).whole


def test_only_one_process_writes(trail: Path) -> None:
    first = TrailWriter(trail)
    first.start()
    with pytest.raises(StorageError, match="Another process"):
        TrailWriter(trail).start()
    first.close()
    write(trail, 1)


def test_a_full_disk_refuses_the_record_and_leaves_the_file_whole(tmp_path: Path, monkeypatch) -> None:
    real, full = writing._write_all, threading.Event()

    def write_half(file: int, data: bytes) -> None:
        real(file, data[: len(data) // 2] if full.is_set() else data)
        if full.is_set():
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_write_all", write_half)
    trail = TrailWriter(tmp_path)
    trail.start()
    told: list[Exception | None] = []
    for number in range(3):
        full.set() if number == 1 else full.clear()
        done = threading.Event()
        trail.add({"value": number}, lambda error, done=done: (told.append(error), done.set()))
        assert done.wait(20)
    trail.close()
    assert told[0] is None and isinstance(told[1], StorageError) and told[2] is None
    assert [each["value"] for each in records(tmp_path)] == [0, 2]
    assert verify(tmp_path).whole


def test_after_a_failed_flush_nothing_more_is_promised(tmp_path: Path, monkeypatch) -> None:
    trail = TrailWriter(tmp_path)
    trail.start()

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("tuneloop.trail.writer.os.fsync", fail)
    told: list[Exception | None] = []
    for _ in range(2):
        done = threading.Event()
        trail.add({"value": 1}, lambda error, done=done: (told.append(error), done.set()))
        assert done.wait(20)
        monkeypatch.undo()
    trail.close()
    assert all(isinstance(error, StorageError) for error in told)
    assert verify(tmp_path).lines == 0


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("call 138-0013-8000 now", "call [phone] now"),
        ("致电１３８００１３８０００", "致电[phone]"),
        ("身份证11010519491231002X，谢谢", "身份证[id-card]，谢谢"),
        ("a@b.com and a@b.com", "[email] and [email]"),
        ("order 12345678", "order 12345678"),
    ],
)
def test_personal_data_is_taken_out(text: str, left: str) -> None:
    assert redact(text) == left


def test_a_sealed_value_is_proven_by_the_very_text_alone() -> None:
    secret, text = b"s" * 32, "my number is 138-0013-8000"
    asked = {"messages": [{"role": "user", "content": text}], "temperature": 0.5}
    assert seal({"text": "nothing"}, "personal data", secret) == {"exact": {"text": "nothing"}}
    for veil in ("personal data", "texts"):
        sealed = seal(asked, veil, secret)
        assert "138" not in json.dumps(sealed["veiled"]) and sealed["veiled"]["messages"][0]["role"] == "user"
        assert filled(sealed, text) == asked and is_sealed_in(asked, sealed, secret)
        assert not is_sealed_in(filled(sealed, text.replace("8000", "8001")), sealed, secret)
        assert not is_sealed_in(asked, sealed, b"t" * 32)
        assert not is_sealed_in(asked | {"temperature": 0.6}, sealed, secret)
    assert seal(asked, "texts", secret)["hash"] != seal(asked, "texts", secret)["hash"]  # salted
    assert GENESIS not in json.dumps(sealed)


def test_a_file_that_cannot_be_opened_for_a_while_stops_the_trail_for_a_while_only(tmp_path: Path, monkeypatch) -> None:
    trail = TrailWriter(tmp_path)
    trail.start()
    real, told, refuse = os.open, [], threading.Event()

    def open_file(path, *given, **more):
        if refuse.is_set() and str(path).endswith(".jsonl"):
            raise OSError(24, "Too many open files")
        return real(path, *given, **more)

    monkeypatch.setattr("tuneloop.trail.writer.os.open", open_file)
    for number in range(2):
        refuse.set() if number == 0 else refuse.clear()
        done = threading.Event()
        trail.add({"value": number}, lambda error, done=done: (told.append(error), done.set()))
        assert done.wait(20)
    trail.close()
    assert isinstance(told[0], StorageError) and told[1] is None
    assert [each["value"] for each in records(tmp_path)] == [1] and verify(tmp_path).whole


@pytest.mark.parametrize("content", ["", "bm90IGhleA==", "0"])
def test_a_secret_that_is_none_is_one_clear_error(tmp_path: Path, monkeypatch, content: str) -> None:
    (tmp_path / "secret").write_text(content)
    monkeypatch.setenv("TUNELOOP_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(ConfigError, match="holds no secret"):
        make_secret(tmp_path)


def test_two_who_need_the_secret_at_once_have_the_same(tmp_path: Path, monkeypatch) -> None:
    asked, numbers = threading.Event(), iter("ab")

    def slowly(count: int) -> str:
        number = next(numbers)
        asked.set()
        time.sleep(0.2)
        return number * 2 * count

    monkeypatch.setattr(veiling.secrets, "token_hex", slowly)
    with ThreadPoolExecutor(2) as both:
        first = both.submit(make_secret, tmp_path)
        assert asked.wait(20)
        second = both.submit(make_secret, tmp_path)
        assert first.result() == second.result()


def test_a_text_that_is_too_long_for_the_name_of_a_file_is_a_text(tmp_path: Path) -> None:
    assert _text("好" * 300) == "好" * 300
    (tmp_path / "asked.txt").write_text("the room")
    assert _text(str(tmp_path / "asked.txt")) == "the room"
