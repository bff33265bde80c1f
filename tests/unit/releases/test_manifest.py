"""The files of a release beside its manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.core.errors import ReleaseError
from tuneloop.releases.manifest import checked, verify, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name, text in {"a.txt": "aa", "in/b.txt": "bbb", "c.txt": "c"}.items():
        (tmp_path / name).write_text(text)
    write_manifest(tmp_path)
    return tmp_path


def test_every_file_is_told_with_its_size_and_that_it_is_the_same(folder: Path) -> None:
    found = list(checked(folder))
    assert [(file.name, file.bytes, file.state) for file in found] == [
        ("a.txt", 2, "same"), ("c.txt", 1, "same"), ("in/b.txt", 3, "same"),
    ]  # fmt: skip
    assert all(len(file.sha256) == 64 for file in found)
    verify(folder)


def test_all_that_is_wrong_is_told_at_once_and_verify_names_the_first(folder: Path) -> None:
    (folder / "a.txt").write_text("ab")
    (folder / "in/b.txt").unlink()
    (folder / "new.txt").write_text("new")
    assert {file.name: file.state for file in checked(folder)} == {
        "a.txt": "changed", "c.txt": "same", "in/b.txt": "missing", "new.txt": "unknown",
    }  # fmt: skip
    with pytest.raises(ReleaseError, match=r"a\.txt"):
        verify(folder)


def test_sizes_alone_do_not_see_a_changed_byte(folder: Path) -> None:
    (folder / "a.txt").write_text("ab")
    assert [file.state for file in checked(folder, hashes=False)] == ["same"] * 3


def test_a_manifest_that_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ReleaseError, match="manifest"):
        list(checked(folder))
