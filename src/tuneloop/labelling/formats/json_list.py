"""What files that are one JSON list of records have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.readers.table import place
from tuneloop.data.readers.whole_json import read_whole_json


class Record:
    """A record, which knows where it stands, from 1.

    Args:
        value: the JSON object.
    """

    def __init__(self, path: Path, number: int, value: Any) -> None:
        self.place = place(path, number)
        if not isinstance(value, dict):
            raise self.wrong("", t("an object should stand here"))
        self.value: dict[str, Any] = value

    def get(self, key: str, kind: type, *, within: dict[str, Any] | None = None, at: str = "") -> Any:
        """What stands under `key`, empty where nothing does.

        Args:
            kind: list or dict.
            within: a part of the record that holds it, which stands at `at`.

        Raises:
            DataError: if it is of another kind.
        """
        value = (self.value if within is None else within).get(key)
        if value is None:
            return kind()
        if not isinstance(value, kind):
            expected = t("a list should stand here") if kind is list else t("an object should stand here")
            raise self.wrong(f"{at}.{key}".lstrip("."), expected)
        return value

    def wrong(self, field: str, reason: str) -> DataError:
        """An error that names file, record and field."""
        where = t('{place}, field "{name}"', place=self.place, name=field) if field else self.place
        return DataError(
            t("{place}: {reason}.", place=where, reason=reason),
            t("Correct it there, or export it from the tool again; nothing was imported."),
        )


def read_records(path: Path) -> list[Record]:
    """The records of a JSON list, or of a single object.

    Raises:
        DataError: if the file is something else.
    """
    try:
        value, _ = read_whole_json(path)
    except OSError as error:
        raise DataError(
            t("{path} cannot be read: {error}", path=path, error=error.strerror or error), t("Check its name.")
        ) from None
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise DataError(
            t("{place}: {reason}.", place=path.name, reason=t("a list should stand here")),
            t("Export it from the tool as JSON."),
        )
    return [Record(path, number, each) for number, each in enumerate(value, 1)]
