"""Hidden states of many texts in one file that is mapped into memory: bf16, (total tokens, hidden).

The file ends with the SHA-256 of its states and appears in one step when it is whole, so a writer that
was killed leaves nothing that is believed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tuneloop.core.fsio import STAGING_PREFIX, new_file, storage_errors, sweep
from tuneloop.core.hashing import CHUNK_BYTES

if TYPE_CHECKING:
    import torch

    IntArray = np.ndarray[Any, np.dtype[Any]]

VALUE_BYTES = 2
DIGEST_BYTES = 32


class States:
    """The states of every text, read from an open file.

    Args:
        file: as `write_states` wrote it; removing it by name takes nothing from who has it open.
        offsets: where each text begins, and the end, in tokens, shape (n + 1,).
        hidden: width of a state.
    """

    def __init__(self, file: BinaryIO, offsets: IntArray, hidden: int) -> None:
        self._file, self._offsets, self._hidden = file, offsets, hidden

    def read(self, rows: IntArray, width: int) -> torch.Tensor:
        """The states of the given texts, padded with zeros to `width` tokens: bf16, (rows, width, hidden)."""
        import torch

        # mapped for each batch: what earlier ones have read does not count as memory of this process
        shape = (int(self._offsets[-1]), self._hidden)
        stored = np.memmap(self._file, np.int16, "r", shape=shape)
        batch = np.zeros((len(rows), width, self._hidden), np.int16)
        for text, row in zip(batch, rows, strict=True):
            begin, end = self._offsets[row], self._offsets[row + 1]
            text[: end - begin] = stored[begin:end]
        return torch.from_numpy(batch).view(torch.bfloat16)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def with_states(loss: Any, standing_in: Callable[[IntArray, int], AbstractContextManager[None]]) -> Any:
    """A method's loss (`GradientMethod.loss`) in which kept states stand in, for the rows that it is given.

    Args:
        standing_in: given rows and the tokens that their batch is wide, the block in which they do.
    """

    def of_batch(model: Any, task: Any, batch: Any, targets: Any, rows: IntArray) -> torch.Tensor:
        with standing_in(rows, batch["input_ids"].shape[1]):
            answer: torch.Tensor = loss(model, task, batch, targets, rows)
        return answer

    return of_batch


def size_bytes(tokens: int, hidden: int) -> int:
    """Size of a file with the states of so many tokens."""
    return tokens * hidden * VALUE_BYTES + DIGEST_BYTES


def open_states(path: Path, offsets: IntArray, hidden: int) -> States | None:
    """The states in a file, None where it is missing, damaged or of other texts."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    size = size_bytes(int(offsets[-1]), hidden)
    if path.stat().st_size != size or _digest(file, size - DIGEST_BYTES) != file.read():
        file.close()
        return None
    os.utime(path)  # used now: others are removed before it
    return States(file, offsets, hidden)


def write_states(path: Path, offsets: IntArray, parts: Iterable[tuple[IntArray, torch.Tensor]]) -> None:
    """Keep the states of every text.

    Args:
        offsets: where each text begins, and the end, in tokens, shape (n + 1,).
        parts: row numbers and their padded states, (rows, tokens, hidden); each row is in exactly one part.

    Raises:
        StorageError: if the disk refuses; nothing is left there.
    """
    import torch

    with new_file(path) as temporary, temporary.open("w+b") as file:
        for rows, states in parts:
            values = states.to("cpu", torch.bfloat16).contiguous().view(torch.int16).numpy()
            for row, text in zip(rows, values, strict=True):
                file.seek(int(offsets[row]) * text.shape[1] * VALUE_BYTES)
                file.write(text[: offsets[row + 1] - offsets[row]].tobytes())
        file.write(_digest(file, file.seek(0, os.SEEK_END)))


def make_room(folder: Path, needed_bytes: int, *, limit_bytes: int) -> None:
    """Remove the files that were not used for the longest time, until there is room for another one."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        found = {}
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # another process makes room too
                found[path] = path.stat()
        room = limit_bytes - sum(each.st_size for each in found.values())
        for path in sorted(found, key=lambda path: found[path].st_mtime_ns):
            if room < needed_bytes and not path.name.startswith(STAGING_PREFIX):
                path.unlink(missing_ok=True)
                room += found[path].st_size


def _digest(file: BinaryIO, size: int) -> bytes:
    """SHA-256 of the first bytes of a file, which is left standing behind them; it is not mapped for that."""
    digest = hashlib.sha256()
    file.seek(0)
    for begin in range(0, size, CHUNK_BYTES):
        digest.update(file.read(min(CHUNK_BYTES, size - begin)))
    return digest.digest()
