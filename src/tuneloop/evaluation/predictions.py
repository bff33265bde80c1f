"""What a model answered on the test split, row by row, so that two models can be compared later."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core import fsio
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples, Label
from tuneloop.data.stored import as_label, label_type, plain_label
from tuneloop.evaluation.paired import Comparison, compare
from tuneloop.tasks.stored import pack_scores, unpack_scores

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray, Task

PREDICTIONS = "predictions.parquet"


@dataclass(frozen=True)
class Predictions:
    """Rows of a test split with a model's answers.

    Args:
        examples: ids, texts, pairs and labels.
        answers: the answer to each row.
        scores: what the task decides by, see `Task.answers`.
        classes: the class of each column of `scores`; empty for numbers.
    """

    examples: Examples
    answers: list[Label]
    scores: FloatArray
    classes: tuple[str, ...]

    def select(self, rows: list[int]) -> Predictions:
        """The given rows, in the given order."""
        answers = [self.answers[row] for row in rows]
        return Predictions(self.examples.select(rows), answers, self.scores[rows], self.classes)


def write_predictions(path: Path, task: Task, examples: Examples, scores: FloatArray) -> None:
    """Write id, text, pair, label, answer and scores of each row as Parquet; equal content, equal bytes.

    Raises:
        StorageError: if the disk refuses.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    answers = task.decide(scores)
    stretches = [label for label in (*examples.labels, *answers) if isinstance(label, tuple)]
    meant, given = (label_type(stretches or list(each)) for each in (examples.labels, answers))
    columns = {
        "id": pa.array(examples.ids, pa.string()),
        "text": pa.array(examples.texts, pa.string()),
        "pair": pa.array(examples.pairs, pa.string()) if examples.pairs else pa.nulls(len(examples), pa.string()),
        "label": pa.array(list(map(plain_label, examples.labels)), meant),
        "answer": pa.array(list(map(plain_label, answers)), given),
        "scores": pa.array([pack_scores(scores[row : row + 1]) for row in range(len(scores))], pa.binary())
        if scores.dtype == object
        else pa.array(list(scores.astype(np.float32)), pa.list_(pa.float32())),
    }
    table = pa.table(columns).replace_schema_metadata({"classes": json.dumps(task.labels, ensure_ascii=False)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    fsio.write_bytes(path, buffer.getvalue())


def read_predictions(path: Path) -> Predictions:
    """What `write_predictions` wrote.

    Raises:
        DataError: if the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(path.read_bytes()))
        classes = tuple(json.loads((table.schema.metadata or {})[b"classes"]))
        columns = {name: table[name].to_pylist() for name in ("id", "text", "pair", "label", "answer", "scores")}
        if pa.types.is_binary(table.schema.field("scores").type):
            scores = np.concatenate([unpack_scores(each) for each in columns["scores"]])
        else:
            scores = np.array(columns["scores"], dtype=np.float32).reshape(len(table), -1)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(
            t("{path} holds no predictions that can be read: {error}", path=path, error=error),
            t("Evaluate the run again: tuneloop evaluate"),
        ) from None
    pairs = columns["pair"] if any(pair is not None for pair in columns["pair"]) else None
    examples = Examples(columns["id"], columns["text"], list(map(as_label, columns["label"])), pairs)
    return Predictions(examples, list(map(as_label, columns["answer"])), scores, classes)


def align(a: Predictions, b: Predictions) -> Predictions:
    """`b` in the order of `a`'s rows.

    Raises:
        DataError: if the two did not answer the same rows with the same labels, or know different classes.
    """
    hint = t("Evaluate both on the same snapshot.")
    if a.classes != b.classes:
        raise DataError(t("The two models know different classes, so their answers cannot be compared."), hint)
    places = {name: row for row, name in enumerate(b.examples.ids)}
    if places.keys() != set(a.examples.ids) or len(a.examples) != len(b.examples):
        missing = len(set(a.examples.ids) ^ places.keys())
        raise DataError(t("The test rows differ: {count} ids are on one side only.", count=missing), hint)
    ordered = b.select([places[name] for name in a.examples.ids])
    for name, *rows in zip(a.examples.ids, _content(a), _content(ordered), strict=True):
        if rows[0] != rows[1]:
            raise DataError(t("The test rows differ: row {id} has another text or label.", id=name), hint)
    return ordered


def compare_predictions(
    task: Task, a: Predictions, b: Predictions, *, seed: int, resamples: int
) -> tuple[Comparison, list[dict[str, Any]]]:
    """The paired comparison of two models' predictions, and the rows that they answer differently.

    Returns:
        The comparison of a with b, and `{"id", "text", "label", "a", "b"}` for each changed row, the largest first.

    Raises:
        DataError: if they did not answer the same rows.
    """
    b = align(a, b)
    found = compare(task, a.examples.labels, a.scores, b.scores, seed=seed, resamples=resamples)
    rows = [
        {
            "id": a.examples.ids[row],
            "text": a.examples.texts[row],
            "label": a.examples.labels[row],
            "a": a.answers[row],
            "b": b.answers[row],
        }
        for row in found.changed
    ]
    return found, rows


def _content(predictions: Predictions) -> list[tuple[Any, Label]]:
    return list(zip(predictions.examples.inputs, predictions.examples.labels, strict=True))
