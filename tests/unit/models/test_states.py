"""States come back as they were kept, or not at all; the folder stays within its limit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tuneloop.core.errors import StorageError
from tuneloop.core.fsio import new_file
from tuneloop.models.states import make_room, open_states, size_bytes, write_states

HIDDEN = 4
OFFSETS = np.array([0, 3, 4, 9])
STATES = torch.randn(9, HIDDEN, generator=torch.Generator().manual_seed(0)).bfloat16()


def padded(rows: list[int], width: int, filling: float) -> torch.Tensor:
    batch = torch.full((len(rows), width, HIDDEN), filling)
    for place, row in enumerate(rows):
        text = STATES[OFFSETS[row] : OFFSETS[row + 1]]
        batch[place, : len(text)] = text
    return batch


def write(path: Path) -> None:
    parts = [([1], padded([1], 2, 9.0)), ([2, 0], padded([2, 0], 6, 9.0))]
    write_states(path, OFFSETS, ((np.array(rows), states) for rows, states in parts))


def test_each_text_comes_back_padded_with_zeros(tmp_path: Path) -> None:
    write(tmp_path / "a")
    assert (tmp_path / "a").stat().st_size == size_bytes(9, HIDDEN)
    states = open_states(tmp_path / "a", OFFSETS, HIDDEN)
    for rows, width in (([0, 1, 2], 5), ([2, 0], 8), ([1], 1)):
        found = states.read(np.array(rows), width)
        assert found.dtype == torch.bfloat16
        assert torch.equal(found.float(), padded(rows, width, 0.0))


def test_a_file_that_is_removed_while_it_is_open_can_still_be_read(tmp_path: Path) -> None:
    write(tmp_path / "a")
    states = open_states(tmp_path / "a", OFFSETS, HIDDEN)
    (tmp_path / "a").unlink()
    assert torch.equal(states.read(np.array([0]), 3)[0], STATES[:3])


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"x" + data[1:], lambda _: b""])
def test_a_damaged_file_is_not_believed(tmp_path: Path, damage) -> None:
    write(tmp_path / "a")
    (tmp_path / "a").write_bytes(damage((tmp_path / "a").read_bytes()))
    assert open_states(tmp_path / "a", OFFSETS, HIDDEN) is None
    assert open_states(tmp_path / "none", OFFSETS, HIDDEN) is None


def test_an_error_half_way_leaves_nothing(tmp_path: Path) -> None:
    def parts():
        yield np.array([1]), padded([1], 2, 0.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_states(tmp_path / "a", OFFSETS, parts())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_the_file_that_was_used_longest_ago_makes_room_and_a_living_writer_is_spared(tmp_path: Path) -> None:
    size = size_bytes(9, HIDDEN)
    for age, name in enumerate(("old", "older", "oldest")):
        write(tmp_path / name)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    open_states(tmp_path / "oldest", OFFSETS, HIDDEN)  # which is a use
    with new_file(tmp_path / "x") as writing:
        writing.write_bytes(bytes(size))
        for _ in range(2):
            make_room(tmp_path, size, limit_bytes=3 * size)
            assert {path.name for path in tmp_path.iterdir()} == {"oldest", writing.name}
