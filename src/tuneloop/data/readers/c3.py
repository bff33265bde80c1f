"""Reading comprehension with several choices, as C3 keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.data.readers.table import Table
from tuneloop.data.readers.whole_json import Part, read_whole_json


def read_c3(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A table with one row per question: `id`, `question`, `passage`, `choices`, `document`, and `answer` if known.

    The file is a list of [lines of the passage, questions, name of the document]. The question's own id is kept where
    it has one; the official test files have. Sun et al., "Investigating Prior Knowledge for Challenging Chinese Machine
    Reading Comprehension" (2020).

    Raises:
        DataError: with the place, such as [3][1][0], at the first thing that is wrong.
    """
    value, name = read_whole_json(path, encoding=encoding)
    rows = [row for document in Part(path, value).items() for row in _rows(document)]
    columns: dict[str, list[Any]] = {
        "id": [row["id"] if row["id"] is not None else number for number, row in enumerate(rows)],
        **{key: [row[key] for row in rows] for key in ("question", "passage", "choices", "document")},
    }
    if any(row["answer"] is not None for row in rows):
        columns["answer"] = [row["answer"] for row in rows]
    return Table(path, columns, range(1, len(rows) + 1), None, name)


def _rows(document: Part) -> list[dict[str, Any]]:
    parts = document.items()
    if len(parts) < 2:
        raise document.wrong(t("a passage and its questions should stand here"))
    passage = "\n".join(line.text() for line in parts[0].items())
    name = parts[2].text() if len(parts) > 2 else document.where
    return [_row(question, passage, name) for question in parts[1].items()]


def _row(question: Part, passage: str, document: str) -> dict[str, Any]:
    choices = [" ".join(choice.text().split()) for choice in question.child("choice").items()]
    answer = " ".join(question.child("answer").text().split()) if "answer" in question else None
    if answer and answer not in choices:
        raise question.child("answer").wrong(t("{label} is none of the choices", label=repr(answer)[:60]))
    return {
        "id": question.value.get("id"),
        "question": question.child("question").text(),
        "passage": passage,
        "choices": choices,
        "document": document,
        "answer": answer or None,
    }
