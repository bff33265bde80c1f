"""Rows that say the same twice are removed, and none of them ever stands in two splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tuneloop.core.data import DataConfig
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.preparation import CleanConfig
from tuneloop.data.conversation import instruction, said, shortened
from tuneloop.data.examples import Examples
from tuneloop.data.mapped import mapped
from tuneloop.data.near import NearDuplicates, comparable, content_key

MAX_EXAMPLES = 10
EXAMPLE_CHARS = 200


@dataclass
class DuplicateReport:
    """What was found among the rows.

    Args:
        exact: rows removed because the same text with the same label stands before.
        near: rows removed because they nearly equal a row that stays.
        near_other_label: how many of `near` had another label than the row that stays.
        conflicts: rows removed because the same text has different labels.
        leaks: rows removed from one split because a nearly equal text, their query or passage is in a later one.
        examples: a few of them: kind, and id and text of the removed row and of its partner.
    """

    exact: int = 0
    near: int = 0
    near_other_label: int = 0
    conflicts: int = 0
    leaks: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, str]] = field(default_factory=list)

    def note(self, kind: str, examples: Examples, row: int, partner: int) -> None:
        """Keep this pair as an example, if there are few of its kind."""
        if sum(1 for example in self.examples if example["kind"] == kind) < MAX_EXAMPLES:
            texts = [shortened(examples.texts[number], EXAMPLE_CHARS) for number in (row, partner)]
            ids = [examples.ids[number] for number in (row, partner)]
            self.examples.append(
                {"kind": kind, "id": ids[0], "text": texts[0], "partner_id": ids[1], "partner_text": texts[1]}
            )

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return asdict(self)


def nearness(data: DataConfig) -> float:
    """How alike two rows are that may not be parted; rows of values share their columns' names, so only equal ones."""
    return 1.0 if data.columns.mixed and data.clean.duplicates != "near" else data.clean.near_threshold


def comparables(examples: Examples, *, prompts: bool = False) -> Sequence[str]:
    """Each input as it is compared: case and spaces do not count, a pair is part of it.

    Of `prompts` what was said is compared, but not what the system says to all of them.
    """
    return _whole(_sides([_said(examples) if prompts else examples]))


def _sides(splits: Sequence[Examples]) -> list[Sequence[str]]:
    """The texts of all splits as they are compared, one after the other; and their second texts, if they have any."""
    texts = mapped(comparable(text) for each in splits for text in each.texts)
    pairs = mapped(comparable(pair) for each in splits for pair in each.pairs or [])
    return [texts, pairs] if len(pairs) else [texts]


def _said(examples: Examples) -> Examples:
    return replace(examples, texts=mapped(map(said, examples.texts)))


def _whole(sides: Sequence[Sequence[str]]) -> Sequence[str]:
    return sides[0] if len(sides) == 1 else mapped("\n".join(parts) for parts in zip(*sides, strict=True))


def _finder(splits: Sequence[Examples], threshold: float, *, prompts: bool = False) -> NearDuplicates:
    sides = _sides(list(map(_said, splits)) if prompts else splits)
    return NearDuplicates(_whole(sides), threshold, parts=sides if len(sides) > 1 else ())


def _answered_finder(examples: Examples, threshold: float) -> NearDuplicates:
    """Finds prompts with answers where what was said, every answer and what the system says all are alike.

    The answers of a row are its label, or a tuple of the better one and the worse one.
    """
    prompts = [comparable(said(text)) for text in examples.texts]
    rows = [label if isinstance(label, tuple) else (label,) for label in examples.labels]
    answers = [[comparable(str(answer)) for answer in each] for each in zip(*rows, strict=True)]
    systems = [comparable(instruction(text)) for text in examples.texts]
    # one system for all would make every prompt a candidate of every other
    return NearDuplicates(_whole([prompts, *answers]), threshold, parts=[systems, prompts, *answers])


def remove_duplicates(
    examples: Examples,
    config: CleanConfig,
    report: DuplicateReport,
    *,
    place: Callable[[int], str],
    free_answers: bool = False,
    worse: str = "",
) -> list[int]:
    """The rows that stay, in order.

    Of equal rows the first stays; of near-duplicates the longest, so that the choice does not
    depend on the order of the file.

    Args:
        examples: cleaned rows.
        config: what to remove.
        report: is filled.
        place: where a row stands in its file, for errors.
        free_answers: labels are texts of which many may be right: one prompt with two answers is no conflict, and rows
            are equal only if prompt and answer are.
        worse: the column with a worse answer beside each free one: rows are equal only if these are too.

    Raises:
        DataError: if `clean.conflicts` is error and there is a conflict.
    """
    if free_answers:
        if worse in examples.columns:
            both = zip(map(str, examples.labels), map(str, examples.columns[worse]), strict=True)
            examples = replace(examples, labels=list(both))
        pairs = ["\0".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in examples.labels]
        examples = replace(examples, pairs=pairs)
    rows, keys = list(range(len(examples))), _exact_keys(examples)
    if not free_answers:
        rows = _remove_conflicts(examples, keys, config, report, place)
    if config.duplicates != "keep":
        rows = _remove_exact(examples, keys, rows, report)
    del keys
    if config.duplicates == "near":
        find = _answered_finder if free_answers else _near_finder
        rows = _remove_near(examples, rows, find(examples.select(rows), config.near_threshold), report)
    if free_answers:
        report.near_other_label = 0
    return rows


def remove_leaks(
    splits: dict[str, Examples], threshold: float, report: DuplicateReport, *, unit: str = "", prompts: bool = False
) -> dict[str, Examples]:
    """The splits without train rows that nearly equal a dev or test row or share its unit, nor such dev rows of test.

    Args:
        unit: of `text` and `pair` the one that may stand in one split alone, such as a query; empty where neither need.
        prompts: compare what was said: see `comparables`.
    """
    names = [name for name in ("test", "dev", "train") if name in splits]
    finder = _finder([splits[name] for name in names], threshold, prompts=prompts)
    kept: dict[str, Examples] = {}
    taken: set[str] = set()
    start = 0
    for name in names:
        examples = splits[name]
        units = {"text": examples.texts, "pair": examples.pairs or []}.get(unit, [])
        keys = [comparable(each) for each in units] or [""] * len(examples)
        rows = range(start, start + len(examples))
        # rows of one split do not drive each other out
        stay = [
            row
            for row, key in zip(rows, keys, strict=True)
            if key not in taken and not any(True for _ in finder.find(row))
        ]
        for row in stay:
            finder.add(row)
        taken.update(keys if units else ())
        kept[name] = examples.select([row - start for row in stay])
        if len(stay) < len(rows):
            report.leaks[name] = len(rows) - len(stay)
        start = rows.stop
    return {name: kept[name] for name in splits}


def twins(
    splits: Mapping[str, Examples], threshold: float, *, prompts: bool = False
) -> Iterator[tuple[tuple[str, int], tuple[str, int], bool]]:
    """Every two rows of different splits that nearly equal each other: split and row of both, and whether exactly.

    Args:
        threshold: Jaccard similarity of five-character runs from which two texts are near-duplicates.
        prompts: see `comparables`.
    """
    places = [(name, row) for name, examples in splits.items() for row in range(len(examples))]
    finder = _finder(list(splits.values()), threshold, prompts=prompts)
    for number, place in enumerate(places):
        for other in finder.find(number):
            if places[other][0] != place[0]:
                yield places[other], place, finder.texts[other] == finder.texts[number]
        finder.add(number)


def components(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `count` rows the first row that it is connected to, itself if none."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(row) for row in range(count)]


def _remove_conflicts(
    examples: Examples,
    keys: Sequence[bytes],
    config: CleanConfig,
    report: DuplicateReport,
    place: Callable[[int], str],
) -> list[int]:
    first: dict[bytes, int] = {}
    conflicting: set[bytes] = set()
    for row, key in enumerate(keys):
        before = first.setdefault(key, row)
        if examples.labels[before] == examples.labels[row]:
            continue
        if config.conflicts == "error":
            raise DataError(
                t("{place} has the text of {other} but another label.", place=place(row), other=place(before)),
                t("Correct one of them, or set data.clean.conflicts to drop or first."),
            )
        report.note("conflict", examples, row, before)
        conflicting.add(key)

    def stays(row: int) -> bool:
        key = keys[row]
        if key not in conflicting:
            return True
        return config.conflicts == "first" and examples.labels[row] == examples.labels[first[key]]

    rows = [row for row in range(len(examples)) if stays(row)]
    report.conflicts += len(examples) - len(rows)
    return rows


def _remove_exact(examples: Examples, keys: Sequence[bytes], rows: Sequence[int], report: DuplicateReport) -> list[int]:
    first: dict[bytes, int] = {}
    for row in rows:
        before = first.setdefault(keys[row], row)
        if before != row:
            report.exact += 1
            report.note("exact", examples, row, before)
    return list(first.values())


def _near_finder(examples: Examples, threshold: float) -> NearDuplicates:
    return _finder([examples], threshold)


def _remove_near(examples: Examples, rows: Sequence[int], finder: NearDuplicates, report: DuplicateReport) -> list[int]:
    texts = finder.texts
    kept = [row for number, row in enumerate(rows) if number not in finder.doubtful]

    def order(number: int) -> tuple[int, bytes]:
        row = rows[number]
        return -len(texts[number]), content_key(f"{examples.texts[row]}\n{examples.labels[row]!r}")

    for number in sorted(finder.doubtful, key=order):
        partner = next(finder.find(number), None)
        if partner is None:
            finder.add(number)
            kept.append(rows[number])
            continue
        report.near += 1
        report.near_other_label += examples.labels[rows[number]] != examples.labels[rows[partner]]
        report.note("near", examples, rows[number], rows[partner])
    return sorted(kept)


def _exact_keys(examples: Examples) -> list[bytes]:
    """A hash of each input with its spaces evened out; case counts."""
    if examples.pairs is None:
        return [content_key(" ".join(text.split())) for text in examples.texts]
    pairs = zip(examples.texts, examples.pairs, strict=True)
    return [content_key(f"{' '.join(one.split())}\n{' '.join(two.split())}") for one, two in pairs]
