"""A file of texts in, the same rows with their answers out."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core import fsio
from tuneloop.core.config import parse_config
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.data.examples import Examples
from tuneloop.releases.read import Release

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.inference.predictor import Predictor
    from tuneloop.tasks.base import Prediction, Task

CHUNK_ROWS = 4096
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run (CWE-1236)."""

Columns = Mapping[str, Sequence[Any]]


def answer_file(
    release: Release,
    source: str,
    *,
    output: Path | None,
    engine: str | None,
    quiet: bool,
    answers: Callable[..., Iterator[Prediction]] | None = None,
) -> int:
    """Answer every row of `source`; see `api.predict_file`.

    Args:
        answers: what gives the answers to inputs, in their order, in the place of a predictor here; see `_answers`.

    The answers are `prediction`, and for classes `probability` and one column `p:CLASS` each; for choices `probability`
    and `probabilities`, in the order of the choices.
    In a CSV file a text that a spreadsheet would run as a formula begins with an apostrophe.

    Returns:
        How many rows were answered.

    Raises:
        DataError: if the source cannot be read, or the output has another ending than .csv, .jsonl, .parquet.
    """
    write = _writer(output)
    predictor = release.predictor(engine)
    try:
        examples = _read(release, source, predictor.task)
        predictions = list((answers or _answers)(predictor, examples.inputs, quiet=quiet))
    finally:
        predictor.close()
    write({**examples.columns, **_columns_of(predictions, examples.columns, task=predictor.task)})
    return len(predictions)


def _read(release: Release, source: str, task: Task) -> Examples:
    from tuneloop.data.labelled import read_unlabelled
    from tuneloop.data.readers.lines import text_lines

    data = parse_config(release.info["config"]).data
    if source != "-":
        return read_unlabelled(source, data, base=Path.cwd(), task=task)
    if task.takes_pairs:
        raise DataError(
            t("Standard input is read as one text per line, but this release judges pairs."),
            t("Give a file with the columns {text} and {pair}.", text=data.columns.text, pair=data.columns.pair),
        )
    texts = list(text_lines(sys.stdin.buffer, max_chars=data.max_text_chars))
    given = {"text": list(texts)}
    if task.free_answers:  # a line that looks like a conversation is still what one user says
        texts = [task.parse_input(text, None)[0] for text in texts]
    return Examples(ids=[str(row + 1) for row in range(len(texts))], texts=texts, columns=given)


def _answers(predictor: Predictor, inputs: Sequence[Input], *, quiet: bool) -> Iterator[Prediction]:
    with progress(t("predicting"), len(inputs), quiet=quiet) as bar:
        for start in range(0, len(inputs), CHUNK_ROWS):
            yield from predictor.predict(inputs[start : start + CHUNK_ROWS])
            bar.update(min(start + CHUNK_ROWS, len(inputs)))


def _columns_of(predictions: list[Prediction], taken: Columns, *, task: Task) -> Columns:
    """The answers by column; where classes have no names, choices of each row's own, they stand in one column."""
    answers: dict[str, list[Any]] = {"prediction": [each.to_json()["label"] for each in predictions]}
    classes = predictions[0].probabilities if predictions else {}
    if classes and isinstance(predictions[0].label, str):
        answers["probability"] = [round(each.probabilities[str(each.label)], 6) for each in predictions]
    if task.labels:
        answers |= {f"p:{name}": [round(each.probabilities[name], 6) for each in predictions] for name in classes}
    elif classes:
        answers["probabilities"] = [[round(p, 6) for p in each.probabilities.values()] for each in predictions]
    answers["truncated"] = [each.truncated for each in predictions]
    if task.generates:
        answers["finished"] = [each.finished for each in predictions]
    if any(each.outside is not None for each in predictions):
        answers["outside"] = [None if each.outside is None else round(each.outside, 6) for each in predictions]
        answers["abstained"] = [each.abstained for each in predictions]
    if any(each.plausible is not None for each in predictions):
        answers["set"] = [list(each.plausible or ()) for each in predictions]
    if any(each.because for each in predictions):
        told = [[reason.to_json() for reason in each.because] for each in predictions]
        answers["because"] = [json.dumps(each, ensure_ascii=False) if each else None for each in told]
    return {_free(name, taken): values for name, values in answers.items()}


def _free(name: str, taken: Columns) -> str:
    """`name`, or with underscores if the file has such a column."""
    return _free(f"{name}_", taken) if name in taken else name


def _writer(output: Path | None) -> Callable[[Columns], object]:
    if output is None:
        return lambda columns: sys.stdout.write(_jsonl(columns))
    formats: dict[str, Callable[[Columns], bytes]] = {
        ".csv": lambda columns: _csv(columns).encode("utf-8-sig"),
        ".jsonl": lambda columns: _jsonl(columns).encode("utf-8"),
        ".parquet": _parquet,
    }
    if output.suffix.lower() not in formats:
        raise DataError(
            t("{path} has an ending that cannot be written.", path=output), t("Use .csv, .jsonl or .parquet.")
        )
    return lambda columns: fsio.write_bytes(output, formats[output.suffix.lower()](columns))


def _rows(columns: Columns) -> Iterator[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True)


def _jsonl(columns: Columns) -> str:
    lines = (
        json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=str) for row in _rows(columns)
    )
    return "".join(f"{line}\n" for line in lines)


def _csv(columns: Columns) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in _rows(columns))
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        if any(isinstance(each, dict) and "role" in each for each in value):
            return json.dumps(value, ensure_ascii=False)
        return "; ".join(_part(each) for each in value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _part(value: Any) -> str:
    return f"{value['start']}-{value['end']} {value['label']}" if isinstance(value, dict) else str(value)


def _parquet(columns: Columns) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()
