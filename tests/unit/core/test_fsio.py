"""A reader sees the old content or the new, never half of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tuneloop.core import fsio
from tuneloop.core.errors import StorageError


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    fsio.write_json(path, {"old": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="free some space"):
        fsio.write_json(path, {"new": 2})
    assert path.read_text() == '{\n  "old": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), fsio.new_dir(tmp_path / "release") as staging:
        (staging / "half").write_text("x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with fsio.new_dir(tmp_path / "release") as staging:
        (staging / "whole").write_text("x")
        assert not (tmp_path / "release").exists()
    assert [path.name for path in (tmp_path / "release").iterdir()] == ["whole"]


def test_what_a_dead_writer_left_is_swept_and_a_living_one_is_spared(tmp_path: Path) -> None:
    dead = f"{fsio.STAGING_PREFIX}{os.getpid()}-0123abcd-x"  # in a container the next process has the same number
    (tmp_path / dead).mkdir()
    with fsio.new_dir(tmp_path / "a") as staging, fsio.new_file(tmp_path / "b") as file:
        assert not (tmp_path / dead).exists() and fsio.sweep(tmp_path) == 0
        assert staging.is_dir() and file.is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_a_file_is_written_and_what_a_dead_writer_left_beside_it_is_gone(tmp_path: Path) -> None:
    (tmp_path / f"{fsio.STAGING_PREFIX}12-0123abcd-tokens.arrow").write_text("half")
    fsio.write_text(tmp_path / "other.arrow", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["other.arrow"]


@pytest.mark.parametrize("links", [True, False])
def test_the_first_file_of_a_name_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refused)
    for text in ("first", "second"):
        with fsio.new_file(tmp_path / "secret", keep=True) as file:
            file.write_text(text)
        assert (tmp_path / "secret").read_text() == "first" and len(list(tmp_path.iterdir())) == 1


def test_what_is_not_of_tuneloop_is_never_swept(tmp_path: Path) -> None:
    for name in (".tmp-mine", ".tmp-12-notes"):
        (tmp_path / name).mkdir()
    with fsio.new_dir(tmp_path / "export"):
        pass
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_whose_last_flush_fails_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    path = tmp_path / "a"
    if replace:
        path.mkdir()
        (path / "old").touch()

    def broken(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(StorageError), fsio.new_dir(path, replace=replace) as staging:
        (staging / "new").touch()
        monkeypatch.setattr(fsio, "fsync_tree", lambda _: None)
        monkeypatch.setattr(fsio, "fsync_dir", broken)
    assert [each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*")] == (
        ["a", "a/old"] if replace else []
    )
