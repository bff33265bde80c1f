"""A file that is one JSON value, such as SQuAD's or C3's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.encoding import decode, refuse_nul


def head_of(path: Path, size: int) -> bytes:
    """The first bytes of a file; none if it cannot be read, for then the reader says why."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def read_whole_json(path: Path, *, encoding: str = "auto") -> tuple[Any, str]:
    """The value, and the name of the file's encoding.

    Raises:
        DataError: with the line at which it stops being JSON.
    """
    text, name = decode(path.read_bytes(), path=path, encoding=encoding)
    refuse_nul(text, path=path)
    if not text.strip():
        raise DataError(t("{file} is empty.", file=path.name), t("Put the whole file there again."))
    try:
        return json.loads(text), name
    except json.JSONDecodeError as error:
        place = t("{file}, line {line}, character {column}", file=path.name, line=error.lineno, column=error.colno)
        raise DataError(
            t("{place}: this is not JSON.", place=place),
            t("The file is cut off or damaged; put the whole file there again."),
        ) from None
    except RecursionError:
        raise DataError(
            t("{place}: {reason}.", place=path.name, reason=t("nested too deeply")),
            t("The file is cut off or damaged; put the whole file there again."),
        ) from None


class Part:
    """A part of a JSON value, which knows where it stands: `data[3].paragraphs[0].context`."""

    def __init__(self, path: Path, value: Any, where: str = "") -> None:
        self.path, self.value, self.where = path, value, where

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def child(self, key: str) -> Part:
        """What the object has under `key`.

        Raises:
            DataError: if it is no object or has no such key.
        """
        if not isinstance(self.value, dict) or key not in self.value:
            raise self.wrong(t('"{name}" is missing', name=key))
        return Part(self.path, self.value[key], f"{self.where}.{key}".lstrip("."))

    def items(self) -> list[Part]:
        """The members of the list.

        Raises:
            DataError: if it is none.
        """
        if not isinstance(self.value, list):
            raise self.wrong(t("a list should stand here"))
        return [Part(self.path, value, f"{self.where}[{number}]") for number, value in enumerate(self.value)]

    def text(self) -> str:
        """The text.

        Raises:
            DataError: if it is none.
        """
        if not isinstance(self.value, str):
            raise self.wrong(t("a text should stand here"))
        return self.value

    def wrong(self, reason: str) -> DataError:
        """An error that names file and place."""
        place = f"{self.path.name}, {self.where}" if self.where else self.path.name
        return DataError(
            t("{place}: {reason}.", place=place, reason=reason),
            t("Correct it there, or put the original file there again."),
        )
