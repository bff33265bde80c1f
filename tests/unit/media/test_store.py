"""Files by the SHA-256 of their bytes: kept once, and never taken for what they were before a change."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.core.errors import DataError
from tuneloop.core.paths import Workspace
from tuneloop.media import store


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests hold in memory is not found, nor the other way round."""
    monkeypatch.setattr(store, "_held", {})
    monkeypatch.setattr(store, "_remembered", store.OrderedDict())


def test_a_file_is_kept_once_by_its_bytes_and_found_again(tmp_path: Path) -> None:
    media = Workspace(tmp_path).media
    digest = store.keep(b"some bytes", media)
    assert digest == hashlib.sha256(b"some bytes").hexdigest()
    (path,) = (path for path in media.rglob("*") if path.is_file())
    assert path == media / digest[:2] / digest and path.read_bytes() == b"some bytes"
    written = path.stat().st_mtime_ns
    assert store.keep(b"some bytes", media) == digest and path.stat().st_mtime_ns == written
    assert store.keep(b"others", media) != digest
    assert store.fetch(digest, [tmp_path / "none", media]) == b"some bytes"


def test_a_file_that_was_changed_is_refused_until_it_is_given_again(tmp_path: Path) -> None:
    digest = store.keep(b"some bytes", tmp_path)
    (tmp_path / digest[:2] / digest).write_bytes(b"same size!")
    with pytest.raises(DataError, match=r"not in the workspace's media, or was changed\.\nGive the file again"):
        store.fetch(digest, [tmp_path])
    assert store.keep(b"some bytes", tmp_path) == digest
    assert store.fetch(digest, [tmp_path]) == b"some bytes"


def test_a_changed_file_in_one_store_does_not_hide_the_one_in_another(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    digest = store.keep(b"some bytes", near)
    store.keep(b"some bytes", far)
    (near / digest[:2] / digest).write_bytes(b"")
    assert store.fetch(digest, [near, far]) == b"some bytes"


@pytest.mark.parametrize(
    "name", ["0" * 64, "../../etc/passwd", "ab/../" + "0" * 60, "A" * 64, "0" * 63, "", "file.png"]
)
def test_what_is_no_known_sha256_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="not in the workspace's media"):
        store.fetch(name, [tmp_path])


def test_a_file_that_stays_where_it_is_is_found_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"some bytes")
    digest = store.hold(path, store.read(path))
    assert store.fetch(digest, []) == b"some bytes"
    path.write_bytes(b"same size!")
    with pytest.raises(DataError, match="was changed"):
        store.fetch(digest, [])


def test_in_memory_the_oldest_make_room_and_the_newest_always_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_REMEMBERED_BYTES", 10)
    first, second = store.remember(b"1111"), store.remember(b"2222")
    assert store.remember(b"1111") == first  # it is the newest again
    third = store.remember(b"3333")
    assert store.fetch(first, []) == b"1111" and store.fetch(third, []) == b"3333"
    with pytest.raises(DataError):
        store.fetch(second, [])
    large = store.remember(b"4" * 100)
    assert store.fetch(large, []) == b"4" * 100
    assert list(store._remembered) == [large]


@given(st.binary(max_size=50))
def test_a_data_uri_is_the_file_itself(data: bytes) -> None:
    assert store.fetch(store.keep(data, None), []) == data
    plain = base64.b64encode(data).decode()
    assert store.fetch(f"data:image/png;base64,{plain}", []) == store.fetch(f"DATA:;BASE64,{plain}", []) == data


@pytest.mark.parametrize("damaged", ["A", "AA", "AA AA", "AAA\n", "A-_A", "é", "\U0001f600", "AA==AA=="])
def test_a_data_uri_with_damaged_base64_is_refused(damaged: str) -> None:
    with pytest.raises(DataError, match="no base64"):
        store.fetch(f"data:image/png;base64,{damaged}", [])


@pytest.mark.parametrize("other", ["data:image/png,abc", "data:text/plain;charset=utf-8,abc", "data:"])
def test_a_data_uri_without_base64_is_no_reference(other: str) -> None:
    with pytest.raises(DataError, match="not in the workspace's media"):
        store.fetch(other, [])


def test_the_stores_of_a_model_are_those_of_the_workspaces_above_it(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    for workspace in (tmp_path / "outer", inner):
        store.keep(b"x", Workspace(workspace).media)
    folder = inner / "releases" / "small-1"
    folder.mkdir(parents=True)
    assert store.stores_above(folder) == [Workspace(inner).media, Workspace(tmp_path / "outer").media]
    assert store.store_in(inner) == Workspace(inner).media
    assert store.stores_above(tmp_path) == []


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "directory"),
        (lambda path: path.write_bytes(b""), "has 0 bytes"),
        (lambda path: path.write_bytes(b"x" * 100_001), "has 100,001 bytes, not 1 to 100,000"),
    ],
)
def test_a_file_of_the_user_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object, complaint: str
) -> None:
    monkeypatch.setattr(store, "MOST_BYTES", 100_000)
    path = tmp_path / "a.png"
    make(path)  # type: ignore[operator]
    with pytest.raises(DataError, match=complaint) as caught:
        store.read(path)
    assert "a.png" in str(caught.value)


def test_a_path_that_no_file_can_have_is_an_error_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        store.read(tmp_path / "a\0b.png")
    with pytest.raises(DataError, match="cannot be read"):
        store.read(tmp_path / ("a" * 5000))
