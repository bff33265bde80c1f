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
    (tmp_path / f"{fsio.STAGING_PREFIX}{os.getpid()}-aa-x").mkdir()
    (tmp_path / f"{fsio.STAGING_PREFIX}999999999-aa-x").mkdir()
    assert fsio.sweep(tmp_path) == 1
    assert len(list(tmp_path.iterdir())) == 1
