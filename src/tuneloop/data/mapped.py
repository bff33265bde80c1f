"""Texts that lie in a temporary file and not among Python's objects: large files are read and compared piece by piece.

What stays in memory is where each text begins and how long it is, 16 bytes. The file has no name and is gone with the
process; it lies where `TMPDIR` says, best on a disk. Few texts need no file.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, chain, islice
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile
from typing import Any, BinaryIO, overload

import numpy as np

from tuneloop.core.errors import StorageError
from tuneloop.core.i18n import t

KEPT_BYTES = 1 << 20
"""So much of a column is kept in memory before it is written to its file."""

AT_ONCE = 4096
"""Texts whose places are looked up together."""

IntArray = np.ndarray[Any, np.dtype[np.int64]]


class MappedTexts(Sequence[str]):
    """Texts in a file or buffer, read when they are asked for; `None` stands where a table has no value.

    Args:
        data: all texts, in UTF-8; halves of characters as they are.
        starts: where each text begins, in bytes, shape (n,).
        sizes: its bytes, shape (n,); -1 for None.
    """

    __slots__ = ("_data", "_sizes", "_starts")

    def __init__(self, data: bytes | mmap, starts: IntArray, sizes: IntArray) -> None:
        self._data, self._starts, self._sizes = data, starts, sizes

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> MappedTexts: ...

    def __getitem__(self, place: int | slice) -> str | MappedTexts:
        if isinstance(place, slice):
            return MappedTexts(self._data, self._starts[place], self._sizes[place])
        return self._text(int(self._starts[place]), int(self._sizes[place]))

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), AT_ONCE):
            places = slice(first, first + AT_ONCE)
            yield from map(self._text, self._starts[places].tolist(), self._sizes[places].tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return repr([*islice(self, 3), ...] if len(self) > 3 else list(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return mapped, (list(self),)

    def select(self, rows: Sequence[int] | IntArray) -> MappedTexts:
        """The given texts, in the given order; nothing is copied."""
        chosen = np.asarray(rows, dtype=np.int64)
        return MappedTexts(self._data, self._starts[chosen], self._sizes[chosen])

    def _text(self, start: int, size: int) -> str:
        if size < 0:
            return None  # type: ignore[return-value]  # of a table's column, which may lack it
        return self._data[start : start + size].decode("utf-8", "surrogatepass")


class Column:
    """Takes the values of a column one by one: texts into a file; all into a list once one is neither text nor None.

    Raises:
        StorageError: if the disk refuses.
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._file: BinaryIO | None = None
        self._waiting = bytearray()
        self._written = 0
        self._starts, self._sizes = array("q"), array("q")
        self._others: list[Any] | None = None
        self.extend(values)

    def __len__(self) -> int:
        return len(self._starts) if self._others is None else len(self._others)

    def append(self, value: Any) -> None:
        """One more value."""
        if self._others is not None:
            self._others.append(value)
            return
        if value is not None and type(value) is not str:
            self._others = [*self._texts(), value]
            return
        self._starts.append(self._written + len(self._waiting))
        if value is None:
            self._sizes.append(-1)
            return
        data = value.encode("utf-8", "surrogatepass")
        self._sizes.append(len(data))
        self._waiting += data
        if len(self._waiting) >= KEPT_BYTES:
            self._write()

    def extend(self, values: Iterable[Any]) -> None:
        """More values."""
        for value in values:
            self.append(value)

    def values(self) -> Sequence[Any]:
        """All of them, in order; nothing is appended any more."""
        return self._texts() if self._others is None else self._others

    def _texts(self) -> MappedTexts:
        data: bytes | mmap = bytes(self._waiting)
        if self._file is not None:
            self._write()
            with self._file, _disk():  # the map keeps what it shows
                data = mmap(self._file.fileno(), 0, access=ACCESS_READ)
        return MappedTexts(data, np.array(self._starts, dtype=np.int64), np.array(self._sizes, dtype=np.int64))

    def _write(self) -> None:
        with _disk():
            if self._file is None:
                self._file = TemporaryFile(prefix="tuneloop-texts-")  # noqa: SIM115  # closed once it is mapped
            self._file.write(self._waiting)
            self._file.flush()
        self._written += len(self._waiting)
        self._waiting.clear()


class Chained(Sequence[Any]):
    """Sequences one behind the other, none of them copied."""

    def __init__(self, parts: Sequence[Sequence[Any]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        number, row = self.place(place)
        return self._parts[number][row]

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._parts)

    def place(self, place: int) -> tuple[int, int]:
        """The number of the part where something stands, and its place there.

        Raises:
            IndexError: if there is nothing.
        """
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(place)
        number = bisect_right(self._ends, place)
        return number, place - (self._ends[number - 1] if number else 0)


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = tempfile.tempdir or os.environ.get("TMPDIR", "/tmp")  # there may be none that can be written to
        raise StorageError(
            t("Cannot write {path}: {reason}.", path=folder, reason=error.strerror or error),
            t("Make room there, or set TMPDIR to a folder on a larger disk."),
        ) from None


def mapped(texts: Iterable[str]) -> MappedTexts:
    """These texts, which are read once.

    Raises:
        StorageError: if the disk refuses.
    """
    return Column(texts)._texts()


def pick(values: Sequence[Any], rows: Sequence[int] | IntArray) -> Sequence[Any]:
    """The values at these places, in their order."""
    return values.select(rows) if isinstance(values, MappedTexts) else [values[row] for row in rows]
