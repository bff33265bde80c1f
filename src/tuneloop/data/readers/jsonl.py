"""JSON lines: one object per line."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any, NoReturn

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.encoding import read_lines
from tuneloop.data.mapped import Column
from tuneloop.data.readers.table import Table, place


def read_jsonl(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A table of one object per line; a key that a line lacks is None there.

    Raises:
        DataError: with the line, at the first thing that is wrong.
    """
    lines, name = read_lines(path, encoding=encoding)
    columns: dict[str, Column] = {}
    rows = array("q")
    for number, whole in enumerate(lines, 1):
        line = whole.removesuffix("\n")
        if line and not line.isspace():
            if not rows and line.lstrip()[0] == "[":
                raise DataError(
                    t("{file} is one JSON list, not one object per line.", file=path.name),
                    t("Write each object on its own line, for example with: jq -c '.[]' {file}", file=path.name),
                )
            _add(columns, _object(line, path, number), len(rows))
            rows.append(number)
    if not rows:
        raise DataError(t("{file} is empty.", file=path.name), t("Give a file with one JSON object per line."))
    return Table(path, {key: column.values() for key, column in columns.items()}, rows, None, name)


def _add(columns: dict[str, Column], values: dict[str, Any], done: int) -> None:
    for key, value in values.items():
        if key not in columns:
            columns[key] = Column([None] * done)
        columns[key].append(value)
    if len(values) < len(columns):
        for column in columns.values():
            if len(column) == done:
                column.append(None)


def _object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise _broken(path, number, t("broken JSON at character {position}", position=error.pos + 1), line) from None
    except ValueError as error:
        raise _broken(path, number, str(error), line) from None
    except RecursionError:
        raise _broken(path, number, t("nested too deeply"), line) from None
    if not isinstance(value, dict):
        raise _broken(path, number, t("not a JSON object"), line)
    return value


def _broken(path: Path, number: int, reason: str, line: str) -> DataError:
    hint = t("Each line must be one object such as {example}.", example='{"text": "...", "label": "..."}')
    if line.rstrip().endswith("},"):
        hint = t("Remove the comma at the end of the line.")
    return DataError(t("{place}: {reason}.", place=place(path, number), reason=reason), hint)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(t('the key "{name}" occurs twice', name=twice))
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(t("{name} is not JSON (write null, or leave the row out)", name=name))


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
