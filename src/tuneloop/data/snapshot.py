"""From the source that a configuration names to its snapshot."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.config import RunConfig
from tuneloop.core.errors import DataError
from tuneloop.core.hashing import hash_file, hash_json
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import Bar, progress
from tuneloop.data.clean import clean_texts
from tuneloop.data.corrections import Applied, apply, corrections_path, lines_hash, read_corrections
from tuneloop.data.duplicates import DuplicateReport, comparables, components, nearness, remove_duplicates, remove_leaks
from tuneloop.data.examples import Examples
from tuneloop.data.labelled import LabelReader, labelled, refuse_twin_labels
from tuneloop.data.mapped import pick
from tuneloop.data.near import comparable, content_key, near_pairs
from tuneloop.data.readers import locate, read_table
from tuneloop.data.readers.datasets_folder import split_names
from tuneloop.data.readers.samples import SAMPLE_PREFIX, columns_of
from tuneloop.data.readers.table import Table
from tuneloop.data.snapshot_folder import (
    VERSION,
    Snapshot,
    find_snapshot,
    open_snapshot,
    save_snapshot,
    snapshot_folder,
    used,
)
from tuneloop.data.split import SPLITS, deal, deal_by_time, parse_times, strata, wanted_sizes
from tuneloop.media.rows import NOTHING

STEPS = 4
READ = 4
"""Raised when sources are read or cleaned otherwise: what was recorded for a request before is then made again."""


@dataclass(frozen=True)
class _Source:
    """One file and the split that is read from it."""

    split: str
    source: str
    path: Path


@dataclass(frozen=True)
class _Part:
    """The cleaned rows of one source, and where each stands in it."""

    table: Table
    rows: list[int]
    examples: Examples

    def place(self, row: int) -> str:
        return self.table.place(self.rows[row])

    def select(self, rows: list[int]) -> _Part:
        return _Part(self.table, [self.rows[row] for row in rows], self.examples.select(rows))


def build_snapshot(
    config: RunConfig, *, task: LabelReader, workspace: Workspace, base: Path, quiet: bool = False
) -> Snapshot:
    """The snapshot of the data that a configuration names.

    It is made only if the source, the settings and the seed have not been seen before.
    Its report has `source` (file, rows, encoding and SHA-256 per split), `cleaning` (rows changed per step,
    and `blank` rows removed), `corrections` (see `corrections.Applied`; only where there are any), `duplicates` (see
    `DuplicateReport`) and `unused` rows.

    Args:
        config: where the data is and what is done to it.
        task: how labels are read: `tasks.task_class(config.task)`.
        workspace: where the snapshot is kept.
        base: what relative paths start from: the folder of tuneloop.yaml.
        quiet: show no progress.

    Raises:
        DataError: if the data cannot be used; with file, row, column and remedy.
        StorageError: if the disk refuses.
        MissingExtraError: if a sample or the datasets library is not installed.
    """
    sources = _sources(config, base)
    corrected = Applied(read_corrections(corrections_path(config.data, base), task))
    recorded = _record(config, task, sources, corrected, workspace)
    known = _recorded(recorded, workspace)
    if known is not None and not config.data.columns.mixed:  # a file that is named there may have changed
        return used(known)
    with progress(t("preparing data"), STEPS, quiet=quiet) as bar:
        snapshot = _build(config, task, workspace, sources, corrected, bar)
    recorded.parent.mkdir(parents=True, exist_ok=True)
    fsio.write_json(recorded, {"hash": snapshot.hash})
    return used(snapshot)


def is_current(snapshot: Snapshot, config: RunConfig, *, task: LabelReader, workspace: Workspace, base: Path) -> bool:
    """Whether `build_snapshot` would give this very snapshot, without reading a row.

    Raises:
        DataError: if a source or the corrections cannot be read.
    """
    corrected = Applied(read_corrections(corrections_path(config.data, base), task))
    known = _recorded(_record(config, task, _sources(config, base), corrected, workspace), workspace)
    return known is not None and known.hash == snapshot.hash


def _record(
    config: RunConfig, task: LabelReader, sources: list[_Source], corrected: Applied, workspace: Workspace
) -> Path:
    """Where it is kept which snapshot was made of these sources with these settings."""
    return workspace.cache / "snapshots" / f"{_request(config, task, sources, corrected)}.json"


def _build(
    config: RunConfig, task: LabelReader, workspace: Workspace, sources: list[_Source], corrected: Applied, bar: Bar
) -> Snapshot:
    cleaning: Counter[str] = Counter()
    duplicates = DuplicateReport()
    parts = {source.split: _read(config, task, source, cleaning, corrected, workspace.media) for source in sources}
    read = {source.split: _about(parts[source.split], source) for source in sources}
    bar.update(1, t("cleaned"))
    train = parts["train"]
    kept = remove_duplicates(
        train.examples,
        config.data.clean,
        duplicates,
        place=train.place,
        free_answers=task.free_answers,
        worse=train.table.worse,
    )
    parts["train"] = train.select(kept)
    bar.update(2, t("duplicates removed"))
    splits = _split(config, task, parts)
    dealt = [rows for name, rows in splits.items() if name not in parts or name == "train"]
    unused = len(parts["train"].rows) - sum(map(len, dealt))
    by_time, kept_near = config.data.split.by == "time", config.data.clean.duplicates != "near" or task.free_answers
    if len(parts) > 1 or (by_time and (kept_near or task.unit)):  # else they are gone, or went into one split together
        unit = task.unit if by_time else ""
        splits = remove_leaks(splits, nearness(config.data), duplicates, unit=unit, prompts=task.free_answers)
    for name, examples in splits.items():
        if not len(examples):
            raise DataError(
                t("{file}: the {split} split would be empty.", file=train.table.path.name, split=name),
                t("Give more rows: three of each class, and of groups, queries or passages; or change data.split."),
            )
    labels = _check_labels(task, splits, parts)
    bar.update(3, t("split"))
    snapshot = save_snapshot(
        splits,
        name=name_of(config.data.source),
        task=task.name,
        labels=labels,
        settings=settings_of(config) | ({"corrections": lines_hash(corrected.lines)} if corrected.lines else {}),
        report={
            "source": read,
            "cleaning": dict(sorted(cleaning.items())),
            **({"corrections": corrected.as_json()} if corrected.lines else {}),
            "duplicates": duplicates.as_json(),
            "unused": unused,
        },
        workspace=workspace,
    )
    bar.update(STEPS)
    return snapshot


def _sources(config: RunConfig, base: Path) -> list[_Source]:
    data = config.data
    path = locate(data.source, base=base)
    found = [_Source("train", data.source, path)]
    inside = split_names(path) if path.is_dir() else {}
    for split in ("dev", "test"):
        own = getattr(data, split)
        if own is not None:
            found.append(_Source(split, own, locate(own, base=base)))
        elif split in inside:
            found.append(_Source(split, data.source, path))
    return found


def _request(config: RunConfig, task: LabelReader, sources: list[_Source], corrected: Applied) -> str:
    """A hash of all that determines the snapshot, found without reading a row."""
    files = {source.split: _hash_source(source.path) for source in sources}
    names = {source.split: source.path.name for source in sources}
    plain = config.model_dump(mode="json", include={"data", "seed"})
    plain["data"].pop("augment")  # copies are made in training: splits have none
    plain["data"].pop("corrections")
    if corrected.lines:
        plain["corrections"] = lines_hash(corrected.lines)
    return hash_json({"version": VERSION, "read": READ, "files": files, "names": names, "task": task.name} | plain)


def _hash_source(path: Path) -> str:
    try:
        if path.is_dir():
            return hash_json(
                {str(file.relative_to(path)): hash_file(file) for file in sorted(path.rglob("*")) if file.is_file()}
            )
        return hash_file(path)
    except PermissionError:
        raise DataError(t("You may not read {path}.", path=path), t("Change its permissions.")) from None


def _recorded(recorded: Path, workspace: Workspace) -> Snapshot | None:
    """The snapshot that was made for this request before, if it is still there and whole."""
    try:
        digest = json.loads(recorded.read_text(encoding="utf-8"))["hash"]
        path = snapshot_folder(str(digest), workspace)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if path is None else open_snapshot(path)


def _read(
    config: RunConfig, task: LabelReader, source: _Source, cleaning: Counter[str], corrected: Applied, media: Path
) -> _Part:
    data = config.data
    inside, base = source.split if source.path.is_dir() else "train", source.path.parent
    where = source.source if source.source.startswith(SAMPLE_PREFIX) else source.path.name
    table = read_table(where, base=base, format=data.format, encoding=data.encoding, split=inside)
    raw = labelled(table, columns_of(data.source, data.columns), task, max_chars=data.max_text_chars, media=media)
    texts, counts = clean_texts(raw.texts, data.clean)
    pairs = None
    if raw.pairs is not None:
        pairs, more = clean_texts(raw.pairs, data.clean)
        counts += more
    if task.free_answers:
        answers, more = clean_texts(map(str, raw.labels), data.clean)
        counts += more
        raw = replace(raw, labels=list(answers))
    examples = Examples(raw.ids, texts, raw.labels, pairs, raw.columns)
    cleaning.update(counts)
    if task.row_by_row:
        examples = _moved(raw, examples, table, task, config)
    examples, left_out = apply(corrected, examples, raw)
    filled = [row for row, text in enumerate(texts) if text.strip() and text != NOTHING]
    if task.free_answers:
        filled = [row for row in filled if str(raw.labels[row]).strip()]
    if not filled:
        raise DataError(
            t("{file}: every text is blank.", file=table.path.name),
            t("Set data.columns.text to the column with texts."),
        )
    cleaning["blank"] += len(texts) - len(filled)
    kept = [row for row in filled if row not in left_out] if left_out else filled
    return _Part(table, kept, examples.select(kept)) if len(kept) < len(texts) else _Part(table, kept, examples)


def _moved(raw: Examples, mended: Examples, table: Table, task: LabelReader, config: RunConfig) -> Examples:
    """The mended rows with labels that fit them: a stretch of a text moves where the text before it has changed."""
    labels = list(raw.labels)
    for row, (before, after) in enumerate(zip(raw.inputs, mended.inputs, strict=True)):
        if before != after:
            try:
                labels[row] = task.moved(labels[row], before, after, config.data.clean)
            except ValueError as error:
                raise DataError(
                    t("{place}: {reason}.", place=table.place(row), reason=error),
                    t("Correct the row, or set data.clean.unicode: none and data.clean.fix_encoding: false."),
                ) from None
    return replace(mended, labels=labels)


def _about(part: _Part, source: _Source) -> dict[str, Any]:
    found = {"file": part.table.path.name, "rows": len(part.table), "encoding": part.table.encoding}
    return found | {"sha256": _hash_source(source.path)}


def _split(config: RunConfig, task: LabelReader, parts: dict[str, _Part]) -> dict[str, Examples]:
    part = parts["train"]
    given = {name: parts[name].examples for name in parts if name != "train"}
    sizes = wanted_sizes(config.data.split, len(part.rows), given=tuple(given))
    keys = [
        content_key(f"{text}\n{label}", seed=config.seed)
        for text, label in zip(comparables(part.examples), part.examples.labels, strict=True)
    ]
    by = config.data.split.by
    if by == "time":
        times = parse_times(
            _values(config, part, "time"), place=lambda row: part.table.place(part.rows[row], config.data.columns.time)
        )
        names = deal_by_time(times, keys, sizes)
    else:
        shares = strata(part.examples.labels, task.label_names) if by == "label" else [""] * len(keys)
        names = deal(keys, shares, _units(config, task, part), sizes)
    rows = {name: [row for row, given_name in enumerate(names) if given_name == name] for name in SPLITS}
    return {name: given[name] if name in given else part.examples.select(rows[name]) for name in SPLITS}


def _units(config: RunConfig, task: LabelReader, part: _Part) -> list[int]:
    """What must stay together: rows of a group, of a query or a passage, and near-duplicates if they were kept.

    Prompts that nearly equal each other stay together too, as their rows are kept where the answers differ.
    """
    pairs: list[tuple[int, int]] = []
    if task.unit:
        texts = part.examples.texts if task.unit == "text" else part.examples.pairs or []
        seen: dict[str, int] = {}
        pairs += [(seen.setdefault(comparable(text), row), row) for row, text in enumerate(texts)]
    if config.data.clean.duplicates != "near" or task.free_answers:
        inputs = comparables(part.examples, prompts=task.free_answers)
        first_with = dict(reversed([(text, row) for row, text in enumerate(inputs)]))
        pairs += [(first_with[text], row) for row, text in enumerate(inputs)]
        once = sorted(first_with.values())
        near = near_pairs([inputs[row] for row in once], nearness(config.data))
        pairs += [(once[first], once[second]) for first, second in near]
    if config.data.split.by == "group":
        first: dict[Any, int] = {}
        pairs += [(first.setdefault(str(value), row), row) for row, value in enumerate(_values(config, part, "group"))]
    return components(len(part.rows), pairs)


def _values(config: RunConfig, part: _Part, setting: str) -> Sequence[Any]:
    """The column that `split.by` needs.

    Raises:
        DataError: if it is not named.
    """
    name = getattr(config.data.columns, setting)
    if name is None:
        raise DataError(
            t("data.split.by is {by}, but no column is named for it.", by=setting),
            t("Set data.columns.{by}.", by=setting),
        )
    if name in part.examples.columns:
        return part.examples.columns[name]
    return pick(part.table.column(name, setting=f"data.columns.{setting}"), part.rows)


def _check_labels(task: LabelReader, splits: dict[str, Examples], parts: dict[str, _Part]) -> list[str]:
    """The class names of train.

    Raises:
        DataError: if there are fewer than two, or dev or test has one that train lacks.
    """
    file = parts["train"].table.path.name
    if not task.has_classes:
        return []
    names = task.label_names(splits["train"].labels)
    refuse_twin_labels(task.label_names(label for rows in splits.values() for label in rows.labels), file=file)
    for split in ("dev", "test"):
        strange = sorted(set(task.label_names(splits[split].labels)) - set(names))
        if strange:
            raise _missing_in_train(task, split, strange[0], splits, parts, names)
    if not names:
        raise DataError(
            t("{file}: no text of train has a label.", file=file),
            t("Label something, or check data.columns.label."),
        )
    if len(names) < task.fewest_classes:
        raise DataError(
            t("{file}: there is only one class in train, {label!r}.", file=file, label="".join(names)),
            t("Add rows of at least one other class, or check data.columns.label."),
        )
    return names


def _missing_in_train(
    task: LabelReader, split: str, label: str, splits: dict[str, Examples], parts: dict[str, _Part], names: list[str]
) -> DataError:
    problem = t("The label {label!r} is in {split}, but not in train.", label=label, split=split)
    if split in parts:
        part = parts[split]
        row = next(row for row, own in enumerate(part.examples.labels) if label in task.label_names([own]))
        problem = t("{place}: the label {label!r} does not occur in train.", place=part.place(row), label=label)
        return DataError(
            problem, t("Known labels: {known}. Correct it, or add rows to train.", known=", ".join(names[:20]))
        )
    return DataError(problem, t("Add rows with that label, or set data.split.by: label."))


def settings_of(config: RunConfig) -> dict[str, Any]:
    """What of a configuration is part of a snapshot's hash."""
    data = config.data
    return {
        "seed": config.seed,
        "clean": data.clean.model_dump(mode="json"),
        "split": data.split.model_dump(mode="json"),
        "columns": columns_of(data.source, data.columns).to_json(),
    }


def name_of(source: str) -> str:
    """A short name for the snapshots of a source."""
    stem = source.removeprefix(SAMPLE_PREFIX) if source.startswith(SAMPLE_PREFIX) else Path(source).stem
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:40] or "data"


__all__ = ["LabelReader", "Snapshot", "build_snapshot", "find_snapshot", "open_snapshot"]
