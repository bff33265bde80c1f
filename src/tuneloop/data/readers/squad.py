"""Questions with answers in a text, as SQuAD 1.1 and 2.0, CMRC 2018 and DRCD keep them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.data.readers.table import Table
from tuneloop.data.readers.whole_json import Part, head_of, read_whole_json

HEAD_BYTES = 4096
HEAD = re.compile(rb'\A(\xef\xbb\xbf)?\s*\{\s*("version"\s*:\s*[^,{}\[\]]*,\s*)?"data"\s*:\s*\[\s*\{')
PARAGRAPHS = re.compile(rb'"paragraphs"\s*:\s*\[')


def read_squad(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A table with one row per question: `id`, `question`, `context`, and `answers` where the file has any.

    The answers of a question are a list of {"text", "answer_start"}, empty where it cannot be answered
    (`is_impossible`). A row's number is that of the question in the file, from 1.

    Raises:
        DataError: with the place, such as data[3].paragraphs[0].qas[2], at the first thing that is wrong.
    """
    value, name = read_whole_json(path, encoding=encoding)
    questions = [
        (paragraph.child("context").text(), question)
        for article in Part(path, value).child("data").items()
        for paragraph in article.child("paragraphs").items()
        for question in paragraph.child("qas").items()
    ]
    columns: dict[str, list[Any]] = {
        "id": [_id(question) for _, question in questions],
        "question": [question.child("question").text() for _, question in questions],
        "context": [context for context, _ in questions],
    }
    answers = [_answers(question) for _, question in questions]
    if any(each is not None for each in answers):
        _refuse_gaps(answers, [question for _, question in questions])
        columns["answers"] = answers
    return Table(path, columns, range(1, len(questions) + 1), None, name)


def is_squad(path: Path) -> bool:
    """Whether a file begins as this layout does."""
    head = head_of(path, HEAD_BYTES)
    return bool(HEAD.match(head) and PARAGRAPHS.search(head))


def _id(question: Part) -> str:
    return str(question.child("id").value)


def _answers(question: Part) -> list[dict[str, Any]] | None:
    """The answers; None where the file does not say."""
    if "is_impossible" in question and question.value["is_impossible"] is True:
        return []
    if "answers" not in question:
        return None
    return [_answer(each) for each in question.child("answers").items()]


def _answer(answer: Part) -> dict[str, Any]:
    start = answer.value.get("answer_start") if isinstance(answer.value, dict) else None
    if start is not None and (isinstance(start, bool) or not isinstance(start, int)):
        raise answer.child("answer_start").wrong(t("a whole number should stand here"))
    return {"text": answer.child("text").text(), "answer_start": start}


def _refuse_gaps(answers: list[list[dict[str, Any]] | None], questions: list[Part]) -> None:
    for found, question in zip(answers, questions, strict=True):
        if found is None:
            raise question.wrong(t('"{name}" is missing', name="answers"))
