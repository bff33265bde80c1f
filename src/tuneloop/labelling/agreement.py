"""How far people agree on labels: whether there is one right answer, and who is off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import mean, median
from typing import Any

import numpy as np

from tuneloop.audits.base import RESAMPLES, share
from tuneloop.evaluation.intervals import Array, bootstrap
from tuneloop.labelling.kinds import Kind
from tuneloop.labelling.store import Answer, Item
from tuneloop.labelling.votes import by_item, parts, written

Units = list[dict[str, Any]]
"""Of one text: for each of its parts, the value that each person gave it."""


def agreement(
    kind: Kind,
    answers: Sequence[Answer],
    items: Mapping[str, Item],
    names: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Krippendorff's alpha with a bootstrap interval over texts, agreement of each two people, and who errs how.

    Alpha is 1 where all agree and 0 where they agree as by chance: nominal for classes, interval for numbers.
    Krippendorff, "Content Analysis" (2004), chapter 11. Only texts that several people answered count.

    Returns:
        `items` that count; `alpha` with `low` and `high` (None where it cannot be told); `pairs` of people;
        `annotators` with their confusion against what most of the others say.
    """
    several = {item: given for item, given in by_item(answers).items() if len(given) > 1}
    units = [_units(kind, given, items[item].text, names) for item, given in several.items()]
    value, low, high = _alpha(kind, units, seed, resamples)
    return {
        "items": len(several),
        "alpha": value,
        "low": low,
        "high": high,
        "level": "interval" if kind == "number" else "nominal",
        "pairs": _pairs(several),
        "annotators": _deviations(units) if kind == "number" else _confusions(units),
    }


def _units(kind: Kind, answers: Sequence[Answer], text: str, names: Sequence[str]) -> Units:
    given = {answer.annotator: parts(kind, answer.label, text, names) for answer in answers}
    keys = next(iter(given.values()))
    return [{who: said[key] for who, said in given.items()} for key in keys]


def _alpha(
    kind: Kind, units: Sequence[Units], seed: int, resamples: int
) -> tuple[float | None, float | None, float | None]:
    sums = _sums(kind, units)

    def statistic(weights: Array) -> dict[str, Array]:
        return {"alpha": _alphas(kind, weights @ sums)}

    value = statistic(np.ones((1, len(units))))["alpha"][0] if len(units) else np.nan
    if not np.isfinite(value):  # all say the same everywhere: nothing could have been disagreed on
        return None, None, None
    found = bootstrap(statistic, rows=len(units), resamples=resamples, seed=seed)["alpha"]
    low, high = np.quantile(found[np.isfinite(found)], (0.025, 0.975))
    return float(value), float(low), float(high)


def _sums(kind: Kind, units: Sequence[Units]) -> Array:
    """What alpha needs of each text, summed over its parts, (texts, 2 + values).

    First the disagreement of each two people in a part, then the number of answers; behind them how often each value
    was given, or of numbers their sum and the sum of their squares. So a resample of texts is a matrix product, and
    numbers need no table of all values with all values.
    """
    values = sorted({value for texts in units for unit in texts for value in unit.values()})
    place = {value: number for number, value in enumerate(values)}
    middle = float(np.mean(values)) if kind == "number" and values else 0.0  # alpha stays, squares lose no digits
    sums = np.zeros((len(units), 4 if kind == "number" else 2 + len(values)))
    for row, texts in enumerate(units):
        for unit in texts:
            given, n = list(unit.values()), len(unit)
            if kind == "number":
                x = np.array(given, dtype=float) - middle
                sums[row] += np.array([2 * (n * (x @ x) - x.sum() ** 2) / (n - 1), n, x.sum(), x @ x])
                continue
            counts = np.bincount([place[value] for value in given], minlength=len(values))
            sums[row, :2] += np.array([(n * n - counts @ counts) / (n - 1), n], dtype=float)
            sums[row, 2:] += counts
    return sums


def _alphas(kind: Kind, sums: Array) -> Array:
    """Alpha of each row of sums, (rows,); not a number where all answers are the same."""
    seen, n, given = sums[:, 0], sums[:, 1], sums[:, 2:]
    if kind == "number":
        by_chance = 2 * (n * given[:, 1] - given[:, 0] ** 2) / (n - 1)
    else:
        by_chance = (n**2 - (given**2).sum(axis=1)) / (n - 1)
    nothing = by_chance <= 1e-9 * n
    return np.where(nothing, np.nan, 1 - seen / np.where(nothing, 1.0, by_chance))


def _pairs(several: Mapping[str, Sequence[Answer]]) -> list[dict[str, Any]]:
    """For each two people the texts that both answered, and the share of which they say exactly the same."""
    both, same = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for given in several.values():
        for one, other in combinations(sorted(given, key=lambda answer: answer.annotator), 2):
            pair = one.annotator, other.annotator
            both[pair] += 1
            same[pair] += written(one.label) == written(other.label)
    found = []
    for people, n in sorted(both.items()):
        figure = share(same[people], n)
        found.append(
            {"annotators": list(people), "items": n, "same": figure.value, "low": figure.low, "high": figure.high}
        )
    return found


def _confusions(units: Sequence[Units]) -> list[dict[str, Any]]:
    """How often each person says what, where most of the others say what; parts without such a majority are left out.

    The person's own answer is no part of that majority: it would agree with itself.
    """
    table: dict[str, Counter[tuple[Any, Any]]] = {}
    for unit in (unit for texts in units for unit in texts):
        for who, said in unit.items():
            counted = Counter(value for other, value in unit.items() if other != who).most_common()
            if len(counted) == 1 or counted[0][1] > counted[1][1]:
                table.setdefault(who, Counter())[counted[0][0], said] += 1
    return [
        {
            "annotator": who,
            "judged": cells.total(),
            "same": sum(count for (others, said), count in cells.items() if others == said) / cells.total(),
            "confusion": [
                {"others": others, "said": said, "count": count}
                for (others, said), count in sorted(cells.items(), key=lambda cell: (-cell[1], str(cell[0])))
            ],
        }
        for who, cells in sorted(table.items())
    ]


def _deviations(units: Sequence[Units]) -> list[dict[str, Any]]:
    """How far each person's numbers lie from the median of the others', on average, and by how much above."""
    gaps: dict[str, list[float]] = {}
    for unit in (unit for texts in units for unit in texts):
        for who, said in unit.items():
            gaps.setdefault(who, []).append(said - median(value for other, value in unit.items() if other != who))
    return [
        {"annotator": who, "judged": len(each), "above": mean(each), "distance": mean(map(abs, each))}
        for who, each in sorted(gaps.items())
    ]
