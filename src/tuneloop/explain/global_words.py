"""A model as a whole: words and concepts with their mean effect, and a small decision tree that answers like it.

A word's effect on a row is what the answer loses when every occurrence of it is taken away (occlusion, Li, Monroe and
Jurafsky, 2016); the tree is a surrogate (Craven and Shavlik, "Extracting Tree-Structured Representations of Trained
Networks", 1996), as good as the share of unseen rows on which it answers as the model does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.explain.base import EXPLAINED
from tuneloop.explain.features import Category, replaced
from tuneloop.explain.units import units_of
from tuneloop.explain.wording import bare

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.explain.rules import Rules
    from tuneloop.knowledge.lexicon import Lexicon
    from tuneloop.tasks.base import ModelHandle

    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

LEAST_ROWS = 5
"""Rows that a word must stand in: the mean of fewer has no interval to speak of."""
BUDGET = 15_000
"""Answers to texts without a word at most; the words of most rows come first."""
CONFIDENCE = 0.95
PORTION = 512
"""Texts that the model is asked for at a time."""


@dataclass(frozen=True)
class MeanEffect:
    """What a word or concept adds to one number of the answer, on average where it stands.

    Args:
        name: the word, or lexicon and category.
        label: the class whose probability is meant; empty for a number.
        value: the mean over rows.
        low: lower bound of an interval that holds for all of them at once with 95 % (Student's t, Bonferroni).
        high: upper bound.
        rows: rows it stands in.
    """

    name: str
    label: str
    value: float
    low: float
    high: float
    rows: int

    @property
    def sure(self) -> bool:
        """Whether the interval is without 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Overview:
    """What a model goes by.

    Args:
        words: for each class, those whose mean is greatest in size first.
        concepts: the same for categories of lexicons.
        rules: the tree; None for a model without classes.
        rows: test rows that were looked at.
        looked_at: words that were tried.
        left_out: words in enough rows that the budget did not allow.
        asked: answers of the model that it took.
    """

    words: tuple[MeanEffect, ...]
    concepts: tuple[MeanEffect, ...]
    rules: Rules | None
    rows: int
    looked_at: int
    left_out: int
    asked: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; each effect says whether it is `sure`."""
        plain = asdict(self)
        for key in ("words", "concepts"):
            plain[key] = [asdict(each) | {"sure": each.sure} for each in getattr(self, key)]
        return plain


def overview(
    model: ModelHandle, train: Examples, test: Examples, *, lexicons: Sequence[Lexicon] = (), budget: int = BUDGET,
    quiet: bool = True,
) -> Overview:  # fmt: skip
    """What a model goes by, on rows it did not learn from.

    Args:
        model: what answers; rules that change its answers are not looked at.
        train: rows that the tree is fitted on, to the model's answers, not to the labels.
        test: rows on which words are taken away, and on which the tree is judged.
        lexicons: whose categories are taken away as a whole.
        budget: answers to texts without a word at most.
        quiet: show no progress.

    Raises:
        ModelError: if the answers are not one number for each class, or one number, of a whole text.
    """
    if model.task.name not in EXPLAINED:
        raise ModelError(
            t("The task {task} has no single number that words could be held to; known here: {known}.",
              task=model.task.name, known=", ".join(EXPLAINED))
        )  # fmt: skip
    from tuneloop.explain.rules import CLASSES, fit_rules

    mended = getattr(model, "mended", None)
    inputs = test.inputs if mended is None else mended(test.inputs)
    whole = np.asarray(model.scores(inputs), dtype=np.float64)
    without = {name: rows for name, rows in _without_words(inputs).items() if len(rows) >= LEAST_ROWS}
    chosen = _within(without, budget)
    words, asked = _effects(model, whole, chosen, quiet=quiet)
    concepts, more = _effects(model, whole, _without_concepts(inputs, lexicons), quiet=quiet)
    rules = fit_rules(model, train, inputs, whole) if model.task.name in CLASSES else None
    return Overview(
        words, concepts, rules, len(inputs), len(chosen), len(without) - len(chosen),
        len(inputs) + asked + more + (rules.asked if rules else 0),
    )  # fmt: skip


def _without_words(inputs: Sequence[Input]) -> dict[str, dict[int, Input]]:
    """For each word, the rows that have it, without it; rows of nothing else are left out."""
    found: dict[str, dict[int, Input]] = defaultdict(dict)
    for row, item in enumerate(inputs):
        texts = (item,) if isinstance(item, str) else item
        places: dict[str, list[list[tuple[int, int]]]] = {}
        for part, text in enumerate(texts):
            for unit in units_of(text):
                if word := bare(unit.text):
                    places.setdefault(word, [[] for _ in texts])[part].append((unit.start, unit.end))
        for word, stretches in places.items():
            _keep(found[word], row, item, stretches)
    return found


def _without_concepts(inputs: Sequence[Input], lexicons: Sequence[Lexicon]) -> dict[str, dict[int, Input]]:
    """The same for the terms of each category of the lexicons."""
    found: dict[str, dict[int, Input]] = {}
    for feature in (Category(lexicon, name) for lexicon in lexicons for name in lexicon.categories):
        rows: dict[int, Input] = {}
        for row, item in enumerate(inputs):
            _keep(rows, row, item, [feature.places(text) for text in ((item,) if isinstance(item, str) else item)])
        if len(rows) >= LEAST_ROWS:
            found[feature.name] = rows
    return found


def _keep(rows: dict[int, Input], row: int, item: Input, places: Sequence[Sequence[tuple[int, int]]]) -> None:
    """The row without these stretches, where there are any and something is left."""
    texts = (item,) if isinstance(item, str) else item
    if not any(places):
        return
    less = tuple(replaced(text, each, "") for text, each in zip(texts, places, strict=True))
    if all(less):
        rows[row] = less[0] if isinstance(item, str) else (less[0], less[1])


def _within(without: Mapping[str, Mapping[int, Input]], budget: int) -> dict[str, Mapping[int, Input]]:
    chosen: dict[str, Mapping[int, Input]] = {}
    for name, rows in sorted(without.items(), key=lambda each: (-len(each[1]), each[0])):
        if len(rows) <= budget:
            chosen[name] = rows
            budget -= len(rows)
    return chosen


def _effects(
    model: ModelHandle, whole: FloatArray, without: Mapping[str, Mapping[int, Input]], *, quiet: bool
) -> tuple[tuple[MeanEffect, ...], int]:
    """The mean effects for each class, and how many answers they took."""
    items = list(dict.fromkeys(item for rows in without.values() for item in rows.values()))
    if not items:
        return (), 0
    scores: dict[Input, FloatArray] = {}
    with progress(t("taking words away"), len(items), quiet=quiet) as bar:
        for start in range(0, len(items), PORTION):
            part = items[start : start + PORTION]
            scores |= zip(part, np.asarray(model.scores(part), dtype=np.float64), strict=True)
            bar.update(len(scores))
    labels = model.task.labels if model.task.has_classes else ("",)
    looked_at, found = len(without) * len(labels), []
    for name, rows in without.items():
        losses = np.stack([whole[row] - scores[item] for row, item in rows.items()])
        margin = _margins(losses, 1 - (1 - CONFIDENCE) / looked_at)
        means = losses.mean(axis=0)
        found += [
            MeanEffect(name, label, float(mean), float(mean - half), float(mean + half), len(rows))
            for label, mean, half in zip(labels, means, margin, strict=True)
        ]
    order = {label: number for number, label in enumerate(labels)}
    return tuple(sorted(found, key=lambda each: (order[each.label], -abs(each.value), each.name))), len(items)


def _margins(losses: FloatArray, confidence: float) -> FloatArray:
    """Half the width of the interval of each column's mean, (columns,)."""
    from scipy.stats import t as student

    n = len(losses)
    return np.asarray(student.ppf((1 + confidence) / 2, n - 1) * losses.std(axis=0, ddof=1) / np.sqrt(n))


def effect_headers() -> list[str]:
    """The names of the columns of `effect_rows`."""
    return [t("class"), t("word or concept"), t("mean effect"), t("interval"), t("rows")]


def effect_rows(effects: Sequence[Mapping[str, Any]], *, each: int = 10) -> list[list[str]]:
    """The sure effects of each class from `Overview.to_json`, so many at most."""
    count: dict[str, int] = defaultdict(int)
    rows = []
    for one in effects:
        if not one["sure"]:
            continue
        count[one["label"]] += 1
        if count[one["label"]] <= each:
            bounds = f"[{one['low']:+.3f}, {one['high']:+.3f}]"
            rows.append([one["label"], one["name"], f"{one['value']:+.3f}", bounds, str(one["rows"])])
    return rows
