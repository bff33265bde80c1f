"""Plain text."""

from __future__ import annotations

from pathlib import Path

from tuneloop.data.encoding import decode
from tuneloop.knowledge.documents import Part


def read_text(path: Path) -> list[Part]:
    """The text as one part, in whatever encoding it is.

    Raises:
        DataError: if the encoding cannot be told, or is mixed.
    """
    return [Part(decode(path.read_bytes(), path=path)[0])]
