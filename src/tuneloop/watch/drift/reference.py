"""What served answers are compared with: the dev and test rows of the release, answered by it; a small file."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.errors import DataError
from tuneloop.core.fsio import write_bytes
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples
from tuneloop.data.personal_data import redact
from tuneloop.watch.base import Event
from tuneloop.watch.making import language_of

VERSION = 1


@dataclass(frozen=True)
class Reference:
    """Events that nothing was wrong with.

    Args:
        release: what answered.
        events: in no order that means anything.
        right: whether each answer was right; None where nobody knows. As long as `events`.
        source: "release" or "events".
        size: how many were asked for.
        raw: whether its texts keep personal data, as those of events do under `watch.raw`.
    """

    release: str
    events: tuple[Event, ...]
    right: tuple[bool | None, ...]
    source: str
    size: int = 0
    raw: bool = False


def from_rows(
    release: str, predictor: Any, rows: Examples, *, size: int, seed: int = 0, raw: bool = False
) -> Reference:
    """The reference of a release: labelled rows that it did not learn from, as it answers them.

    Args:
        predictor: that answers, see `inference.Predictor`.
        rows: dev and test rows.
        size: so many of them at most, drawn at random.
        raw: whether served texts keep personal data; else these lose it too, so that they stay comparable.
    """
    order = np.random.default_rng(seed).permutation(len(rows))[:size]
    drawn = rows.select(order.tolist())
    inputs = drawn.inputs
    predictions, vectors = _answered(predictor, inputs)
    shown = (lambda text: text) if raw else redact
    events = []
    for row, (item, found) in enumerate(zip(inputs, predictions, strict=True)):
        text, pair = (item, None) if isinstance(item, str) else item
        label = found.label if isinstance(found.label, str) else None
        probabilities = {name: float(share) for name, share in found.probabilities.items()}
        events.append(
            Event(
                id=f"reference.{row}", at=0.0, release=release, hash="", label=label,
                confidence=max(probabilities.values(), default=None), probabilities=probabilities,
                chars=len(text) + len(pair or ""), language=language_of(text), text=shown(text),
                pair=None if pair is None else shown(pair), vector=vectors[row], abstained=bool(found.abstained),
            )
        )  # fmt: skip
    labels: list[Any] = list(drawn.labels) or [None] * len(events)
    right = tuple(
        event.label == label if event.label is not None and isinstance(label, str) else None
        for event, label in zip(events, labels, strict=True)
    )
    return Reference(release, tuple(events), right, "release", size, raw)


def from_events(release: str, events: Sequence[Event]) -> Reference:
    """The first events as the reference; nobody knows whether their answers were right."""
    return Reference(release, tuple(events), (None,) * len(events), "events")


def write_reference(path: Path, reference: Reference) -> None:
    """Keep a reference as a Parquet file; its vectors in half precision."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    events = reference.events
    vectors: list[Any] = [None if event.vector is None else np.array(event.vector, np.float16) for event in events]
    columns = {
        "label": pa.array([event.label for event in events], pa.string()),
        "confidence": pa.array([event.confidence for event in events], pa.float64()),
        "probabilities": pa.array([json.dumps(dict(event.probabilities)) for event in events], pa.string()),
        "chars": pa.array([event.chars for event in events], pa.int64()),
        "language": pa.array([event.language for event in events], pa.string()),
        "took_ms": pa.array([event.took_ms for event in events], pa.float64()),
        "text": pa.array([event.text for event in events], pa.string()),
        "pair": pa.array([event.pair for event in events], pa.string()),
        "vector": pa.array(vectors, pa.list_(pa.float16())),
        "abstained": pa.array([event.abstained for event in events], pa.bool_()),
        "tags": pa.array([json.dumps(dict(event.tags)) for event in events], pa.string()),
        "right": pa.array(reference.right, pa.bool_()),
    }
    about = {"tuneloop": json.dumps(_about(reference))}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata(about), buffer, compression="zstd")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, buffer.getvalue())


def read_reference(path: Path) -> Reference:
    """The reference of a file.

    Raises:
        DataError: if it is damaged or was written by another version.
    """
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[b"tuneloop"])
        if about["version"] != VERSION:
            raise ValueError(about["version"])
        rows = table.to_pylist()
        release = str(about["release"])
        events = tuple(_event(release, number, row) for number, row in enumerate(rows))
        right = tuple(row["right"] for row in rows)
        raw = bool(about.get("raw"))  # an older file does not say; its texts are without personal data
        return Reference(release, events, right, str(about["source"]), int(about["size"]), raw)
    except (OSError, KeyError, TypeError, ValueError) as error:  # pyarrow's errors are ValueErrors and OSErrors
        raise DataError(
            t("The reference {path} cannot be read: {error}.", path=path, error=error),
            t("Delete it; it is made again."),
        ) from None


def _about(reference: Reference) -> dict[str, Any]:
    named = {"release": reference.release, "source": reference.source, "size": reference.size, "raw": reference.raw}
    return {"version": VERSION} | named


def _event(release: str, number: int, row: dict[str, Any]) -> Event:
    return Event(
        id=f"reference.{number}", at=0.0, release=release, hash="", label=row["label"], confidence=row["confidence"],
        probabilities=json.loads(row["probabilities"]), chars=row["chars"], language=row["language"],
        took_ms=row["took_ms"], text=row["text"], pair=row["pair"],
        vector=None if row["vector"] is None else tuple(map(float, row["vector"])),
        abstained=row["abstained"], tags=json.loads(row["tags"]),
    )  # fmt: skip


def _answered(predictor: Any, inputs: Sequence[Any]) -> tuple[list[Any], list[tuple[float, ...] | None]]:
    """Predictions, and the vector of each input, where the engine tells vectors."""
    if not getattr(predictor, "has_vectors", False):
        return predictor.predict(inputs), [None] * len(inputs)
    predictions, vectors = predictor.predict_with_vectors(inputs)
    return predictions, [tuple(map(float, row)) for row in vectors]
