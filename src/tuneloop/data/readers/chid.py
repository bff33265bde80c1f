"""Idioms to fill into passages, as ChID keeps them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.readers.jsonl import read_jsonl
from tuneloop.data.readers.table import Table
from tuneloop.data.readers.whole_json import read_whole_json

BLANK = re.compile(r"#idiom\d+#")
THIS, OTHER = "____", "……"
CONTEXT_CHARS = 48
"""Characters of the passage around a blank; with an idiom they fill the 64 tokens of the official baseline."""


def read_chid(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A table with one row per blank: `id` (its tag), `text` around it, `choices`, `line`, and `answer` if known.

    The file has one {"candidates", "content"} per line. The answers, numbers of candidates by tag, lie beside it:
    those of train.json in train_answer.json. Zheng et al., "ChID: A Large-scale Chinese IDiom Dataset for Cloze Test"
    (2019).

    Raises:
        DataError: with line and tag, at the first thing that is wrong.
    """
    table = read_jsonl(path, encoding=encoding)
    given = answer_file(path)
    answers = _answers(given, encoding) if given.is_file() else None
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "text", "choices", "line")}
    if answers is not None:
        columns["answer"] = []
    lines: list[int] = []
    for row in range(len(table)):
        choices = _texts(table, row, "candidates")
        for passage in _texts(table, row, "content"):
            for blank in BLANK.finditer(passage):
                values = [blank[0], around(passage, blank), choices, table.rows[row]]
                if answers is not None:
                    values.append(_answer(answers, blank[0], choices, given, table.place(row)))
                for column, value in zip(columns.values(), values, strict=True):
                    column.append(value)
                lines.append(table.rows[row])
    return Table(path, columns, range(1, len(lines) + 1), lines, table.encoding)


def answer_file(path: Path) -> Path:
    """Where the answers to a file of blanks lie."""
    return path.with_name(f"{path.stem}_answer{path.suffix}")


def around(passage: str, blank: re.Match[str]) -> str:
    """The passage near a blank, which stands as ____ in it; what one side does not need, the other gets."""
    before, after = (BLANK.sub(OTHER, part) for part in (passage[: blank.start()], passage[blank.end() :]))
    half = CONTEXT_CHARS // 2
    left = max(half, CONTEXT_CHARS - len(after))
    right = max(half, CONTEXT_CHARS - len(before))
    return before[max(0, len(before) - left) :] + THIS + after[:right]


def _texts(table: Table, row: int, name: str) -> list[str]:
    value = table.columns[name][row] if name in table.columns else None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise DataError(
            t("{place}: {reason}.", place=table.place(row, name), reason=t("a list of texts should stand here")),
            t("Correct it there, or put the original file there again."),
        )
    return value


def _answers(path: Path, encoding: str) -> dict[str, Any]:
    value, _ = read_whole_json(path, encoding=encoding)
    if not isinstance(value, dict):
        raise DataError(
            t("{place}: {reason}.", place=path.name, reason=t("a number for each tag should stand here")),
            t("Correct it there, or put the original file there again."),
        )
    return value


def _answer(answers: dict[str, Any], tag: str, choices: list[str], path: Path, place: str) -> str:
    number = answers.get(tag)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(choices):
        raise DataError(
            t("{place}: {file} has no answer to {tag}.", place=place, file=path.name, tag=tag),
            t("Correct it there, or put the original file there again."),
        )
    return choices[number]
