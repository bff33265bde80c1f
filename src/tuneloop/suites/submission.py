"""Answers to test rows in the forms that the suites' servers read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.tasks.base import FloatArray, Task

FIRST_DAY_OF_ZIP = (1980, 1, 1, 0, 0, 0)
READABLE_BY_ALL = 0o644


def numbered_labels(examples: Examples, task: Task, scores: FloatArray) -> str:
    """CLUE: one {"id", "label"} per line, in the order of the test file."""
    return _lines({"id": number, "label": str(label)} for number, label in enumerate(task.decide(scores)))


def numbered_choices(examples: Examples, task: Task, scores: FloatArray) -> str:
    """C3: one {"id", "label"} per line, the label being the number of the choice."""
    numbers = zip(examples.columns["id"], _numbers(examples, scores), strict=True)
    return _lines({"id": name, "label": number} for name, number in numbers)


def choices_by_name(examples: Examples, task: Task, scores: FloatArray) -> str:
    """ChID: one object with the number of the idiom for each tag."""
    return _object(dict(zip(examples.columns["id"], _numbers(examples, scores), strict=True)))


def answers_by_name(examples: Examples, task: Task, scores: FloatArray) -> str:
    """CMRC and SQuAD: one object with the text for each question; empty where there is no answer."""
    answers = ["".join(span.label for span in found) for found in task.decide(scores)]  # type: ignore[union-attr]
    return _object(dict(zip(examples.columns["id"], answers, strict=True)))


def tab_separated(examples: Examples, task: Task, scores: FloatArray) -> str:
    """GLUE: index, tab, prediction under a header."""
    return _tsv(map(str, task.decide(scores)))


def tab_separated_similarity(examples: Examples, task: Task, scores: FloatArray) -> str:
    """STS-B: the same with a number from 0 to 5, the ends of the scale that people used."""
    return _tsv(f"{min(5.0, max(0.0, float(value))):.3f}" for value in scores[:, 0])


def packed(files: Mapping[str, str]) -> bytes:
    """A zip archive of these files; equal files, equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, FIRST_DAY_OF_ZIP)
            entry.external_attr = READABLE_BY_ALL << 16
            archive.writestr(entry, files[name].encode(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _numbers(examples: Examples, scores: FloatArray) -> list[int]:
    """The number that each chosen answer has among all that were printed, the same one twice included."""
    chosen = [max(range(len(found)), key=lambda number: found[number][1]) for found in scores]
    offered = zip(examples.pairs or [], examples.columns["choices"], chosen, strict=True)
    return [printed.index(pair.split("\n")[number]) for pair, printed, number in offered]


def _lines(records: Any) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _object(answers: Mapping[str, Any]) -> str:
    return json.dumps(answers, ensure_ascii=False, indent=2) + "\n"


def _tsv(predictions: Any) -> str:
    return "index\tprediction\n" + "".join(f"{number}\t{each}\n" for number, each in enumerate(predictions))
