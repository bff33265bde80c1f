"""Several people's answers to one text: what they disagree on, and the label that is taken.

Each answer is taken apart into parts that can be compared: the class of a text; for each class of several, whether it
was given; for stretches, what each word (or Chinese character) is called; the number.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from tuneloop.data.units import units
from tuneloop.labelling.kinds import Kind
from tuneloop.labelling.store import Answer

OUTSIDE = "O"


class Taken(NamedTuple):
    """A label that was taken from several answers.

    Args:
        label: as JSON has it; None where there is no majority.
        probability: that it is right: the share of people who gave it, or the model's; of several parts the least.
        people: how many answered.
    """

    label: Any
    probability: float
    people: int


def by_item(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """The answers to each text, texts in the order of their first answer."""
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.item, []).append(answer)
    return found


def parts(kind: Kind, label: Any, text: str, names: Sequence[str]) -> dict[Hashable, Any]:
    """A label in parts, each with the value that it has there."""
    if kind == "classes":
        return {name: name in label for name in names}
    if kind == "spans":
        return {
            number: next((each["label"] for each in label if each["start"] < end and start < each["end"]), OUTSIDE)
            for number, (start, end) in enumerate(units(text).tolist())
        }
    return {"": label}


def differ(answers: Sequence[Answer]) -> bool:
    """Whether people say different things of a text."""
    return len({written(answer.label) for answer in answers}) > 1


def written(label: Any) -> str:
    """A label as text: equal labels, equal texts."""
    return json.dumps(label, ensure_ascii=False, sort_keys=True)


def majority(kind: Kind, labels: Sequence[Any]) -> Taken:
    """What more than half of the people say, or for one class more of them than say any other; numbers: the median.

    Several classes and stretches are voted on one by one: one that just half of the people gave makes a tie.
    """
    people = len(labels)
    if kind == "number":
        middle = float(median(labels))
        return Taken(middle, sum(label == middle for label in labels) / people, people)
    if kind == "class":
        counted = Counter(labels).most_common()
        tie = len(counted) > 1 and counted[0][1] == counted[1][1]
        return Taken(None if tie else counted[0][0], counted[0][1] / people, people)
    votes = Counter(name for label in labels for name in _members(kind, label))
    tie = any(2 * count == people for count in votes.values())
    chosen = sorted(name for name, count in votes.items() if 2 * count > people)
    sure = min((max(count, people - count) / people for count in votes.values()), default=1.0)
    label = [dict(zip(("start", "end", "label"), each, strict=True)) for each in chosen] if kind == "spans" else chosen
    return Taken(None if tie else label, sure, people)


def _members(kind: Kind, label: Any) -> set[Any]:
    return {(each["start"], each["end"], each["label"]) for each in label} if kind == "spans" else set(label)


def split(answers: Sequence[Answer]) -> float:
    """How much people disagree on a text, from 0, when all say the same, to 1, when no two do."""
    counted = Counter(written(answer.label) for answer in answers)
    n = len(answers)
    return 0.0 if n < 2 else 1 - sum(count * (count - 1) for count in counted.values()) / (n * (n - 1))


def disagreements(answers: Iterable[Answer]) -> list[str]:
    """Texts of which people say different things: most split first, then in the order in which they were answered."""
    grouped = by_item(answers)
    found = {item: split(given) for item, given in grouped.items() if differ(given)}
    return sorted(found, key=lambda item: -found[item])


def adjudicate(kind: Kind, answers: Iterable[Answer], *, by: str = "majority") -> dict[str, Taken]:
    """The label that is taken of each text.

    Args:
        by: "majority", or "dawid-skene" for one class.

    Raises:
        ConfigError: if the way has no use for such labels.
        MissingExtraError: if crowd-kit is needed and not installed.
    """
    grouped = by_item(answers)
    if by == "majority":
        return {item: majority(kind, [each.label for each in given]) for item, given in grouped.items()}
    from tuneloop.labelling.dawid_skene import posteriors

    return {item: _likeliest(shares, len(grouped[item])) for item, shares in posteriors(kind, grouped).items()}


def _likeliest(shares: Mapping[str, float], people: int) -> Taken:
    first, *others = sorted(shares.items(), key=lambda pair: -pair[1])
    tie = bool(others) and first[1] - others[0][1] < 1e-6
    return Taken(None if tie else first[0], first[1], people)
