"""What a feature of texts does to a model's answers, by changing the texts, beside what merely goes with it.

The effect is caused, not observed: the same texts are asked for with the feature and without it, so that nothing else
differs (the effect of a treatment that is given, Pearl, "Causality", 2009, chapter 3; for models of texts Feder et
al., "CausaLM", 2021). The observational difference between texts that have it and texts that have not is shown
beside it, plain and adjusted for stated confounders by strata (the backdoor adjustment, the same, equation 3.19).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ConfigError, DataError, ModelError
from tuneloop.core.i18n import t
from tuneloop.evaluation.intervals import draws
from tuneloop.explain.base import EXPLAINED

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.explain.features import Feature
    from tuneloop.tasks.base import ModelHandle

    FloatArray = np.ndarray[Any, np.dtype[np.float64]]
    BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

LENGTH = "length"
"""The name of the confounder that is the length of a text in characters."""
BINS = 4
"""Strata that a column of numbers with more values than `FEW` is cut into."""
FEW = 12
RESAMPLES = 2000
PLACES = 3
"""Random places that the feature is put into in each text without it."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % bootstrap interval over rows; None where no row can tell.

    Args:
        value: the mean.
        low: lower bound.
        high: upper bound.
        n: rows it rests on.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Effect:
    """What a feature does to one number of the answer.

    Args:
        label: the class whose probability is meant; empty for a number.
        effect: with the feature less without it, over all rows that were changed; of an exchange, after it less
            before it. How many of the rows have the feature weighs here; it does not in the next two.
        taken: the same over rows that have it, from which it was taken.
        given: the same over rows that have it not, which were given it in random places.
        naive: mean of the rows that have it less mean of those that have not, nothing being changed.
        adjusted: the same within strata of the confounders, weighted by their size; None without confounders.
    """

    label: str
    effect: Estimate
    taken: Estimate
    given: Estimate
    naive: Estimate
    adjusted: Estimate | None


@dataclass(frozen=True)
class Effects:
    """What a feature does to the answers.

    Args:
        feature: its name.
        rows: rows that were looked at.
        having: rows that have the feature.
        effects: for each class, or for the number.
        flipped: share of the changed rows whose answer is another one with the feature than without it.
        confounders: columns that were adjusted for.
        overlap: share of the rows in strata that hold rows with the feature and rows without; None without
            confounders. The adjusted difference speaks of these rows alone.
        asked: answers of the model that it took.
    """

    feature: str
    rows: int
    having: int
    effects: tuple[Effect, ...]
    flipped: float
    confounders: tuple[str, ...]
    overlap: float | None
    asked: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def effects(
    model: ModelHandle, rows: Examples, feature: Feature, *, confounders: Sequence[str] = (), seed: int = 0
) -> Effects:
    """What a feature does to the answers of a model.

    Args:
        model: what answers; rules that change its answers are not looked at.
        rows: texts it did not learn from.
        feature: what is taken from the texts that have it, and given to the others.
        confounders: columns of the rows, or "length", that may make the feature and the answer go together.
        seed: of places and resamples.

    Raises:
        ModelError: if the answers are not one number for each class, or one number, of a whole text.
        DataError: if no row has the feature.
        ConfigError: if there is no such column.
    """
    if model.task.name not in EXPLAINED:
        raise ModelError(
            t("The task {task} has no single number that words could be held to; known here: {known}.",
              task=model.task.name, known=", ".join(EXPLAINED))
        )  # fmt: skip
    strata = _strata(rows, confounders)
    mended = getattr(model, "mended", None)
    inputs = rows.inputs if mended is None else mended(rows.inputs)
    has = np.array([any(feature.places(text) for text in _texts(item)) for item in inputs], dtype=bool)
    if not has.any():
        raise DataError(t("No row has the feature {name}.", name=feature.name), t("Name one that stands in the texts."))
    texts, owners, signs = _changed(inputs, has, feature, seed)
    distinct = list(dict.fromkeys([*inputs, *texts]))
    scores = np.asarray(model.scores(distinct), dtype=np.float64)
    number = {item: place for place, item in enumerate(distinct)}
    plain, changed = (scores[[number[item] for item in some]] for some in (inputs, texts))
    differences = signs[:, None] * (changed - plain[owners])
    by_row = _mean_by_row(differences, owners, len(inputs))
    touched = np.bincount(owners, minlength=len(inputs)) > 0
    answers, after = _answers(model, plain[owners]), _answers(model, changed)
    labels = model.task.labels if model.task.has_classes else ("",)
    overlap = None if strata is None else _overlap(has, strata)
    return Effects(
        feature=feature.name, rows=len(inputs), having=int(has.sum()),
        effects=tuple(
            _effect(label, plain[:, column], by_row[:, column], has, touched, strata, seed)
            for column, label in enumerate(labels)
        ),
        flipped=float(np.mean([one != other for one, other in zip(answers, after, strict=True)])),
        confounders=tuple(confounders), overlap=overlap, asked=len(distinct),
    )  # fmt: skip


def _changed(
    inputs: Sequence[Input], has: BoolArray, feature: Feature, seed: int
) -> tuple[list[Input], np.ndarray[Any, np.dtype[np.int64]], FloatArray]:
    """Changed inputs, the row of each, and 1 where the feature was given to it or exchanged, -1 where it was taken."""
    random = np.random.default_rng([seed, 1])
    forms = feature.forms([text for item in inputs for text in _texts(item)])
    texts: list[Input] = []
    owners, signs = [], []
    for row, item in enumerate(inputs):
        if has[row]:
            less = tuple(feature.without(text) for text in _texts(item))
            if all(text.strip() for text in less):  # nothing is left of a text that was the feature alone
                texts.append(less[0] if isinstance(item, str) else (less[0], less[1]))
                owners.append(row)
                signs.append(-1.0 if feature.insertable else 1.0)
        elif feature.insertable:
            for _ in range(PLACES):
                form = forms[int(random.integers(len(forms)))]
                more = feature.having(_texts(item)[0], form, random)
                texts.append(more if isinstance(item, str) else (more, item[1]))
                owners.append(row)
                signs.append(1.0)
    return texts, np.array(owners, dtype=np.int64), np.array(signs)


def _effect(
    label: str, plain: FloatArray, by_row: FloatArray, has: BoolArray, touched: BoolArray, strata: Any, seed: int
) -> Effect:
    naive = _estimate(lambda weights: _difference(weights, plain, has, np.zeros(len(has), int)), len(has), seed)
    return Effect(
        label,
        _mean(by_row, touched, seed), _mean(by_row, touched & has, seed), _mean(by_row, touched & ~has, seed),
        naive,
        None if strata is None
        else _estimate(lambda weights: _difference(weights, plain, has, strata), len(has), seed),
    )  # fmt: skip


def _mean(by_row: FloatArray, which: BoolArray, seed: int) -> Estimate:
    chosen = by_row[which]
    if not len(chosen):
        return Estimate(None, None, None, 0)
    return _estimate(lambda weights: weights @ chosen / len(chosen), len(chosen), seed)


def _estimate(statistic: Any, rows: int, seed: int) -> Estimate:
    """A statistic of weights (resamples, rows), for weights of 1 and for resamples."""
    value = float(statistic(np.ones((1, rows)))[0])
    if not np.isfinite(value):
        return Estimate(None, None, None, rows)
    found = np.concatenate([statistic(weights) for weights in draws(rows, resamples=RESAMPLES, seed=seed)])
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return Estimate(value, float(low), float(high), rows)


def _difference(weights: FloatArray, plain: FloatArray, has: BoolArray, strata: Any) -> FloatArray:
    """Mean of rows with the feature less mean of those without, within strata, weighted by their size: (resamples,)."""
    total, size = np.zeros(len(weights)), np.zeros(len(weights))
    for each in np.unique(strata):
        inside = strata == each
        with_it, without = weights[:, inside & has], weights[:, inside & ~has]
        counts = with_it.sum(axis=1), without.sum(axis=1)
        both = (counts[0] > 0) & (counts[1] > 0)
        found = with_it @ plain[inside & has] / np.maximum(counts[0], 1)
        found = found - without @ plain[inside & ~has] / np.maximum(counts[1], 1)
        weight = np.where(both, counts[0] + counts[1], 0.0)
        total, size = total + weight * found, size + weight
    return np.where(size > 0, total / np.maximum(size, 1), np.nan)


def _overlap(has: BoolArray, strata: Any) -> float:
    inside = [strata == each for each in np.unique(strata)]
    return float(sum(each.sum() for each in inside if has[each].any() and not has[each].all()) / len(has))


def _strata(rows: Examples, confounders: Sequence[str]) -> Any:
    """The number of each row's stratum, (rows,); None without confounders."""
    if not confounders:
        return None
    keys = []
    for name in confounders:
        if name == LENGTH and name not in rows.columns:
            keys.append(_binned([sum(map(len, _texts(item))) for item in rows.inputs]))
        elif name in rows.columns:
            keys.append(_binned(rows.columns[name]))
        else:
            raise ConfigError(
                t("The data has no column {name!r}.", name=name),
                t("Choose one of: {known}.", known=", ".join([*sorted(rows.columns), LENGTH])),
            )
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in zip(*keys, strict=True)])


def _binned(values: Sequence[Any]) -> list[Any]:
    """Values as they are, or numbers of many values by quartiles; what is no number among them is one stratum."""
    numbers = [_number(value) for value in values]
    known = np.array([value for value in numbers if value is not None])
    if len(set(known.tolist())) <= FEW or len(known) < len(values) / 2:
        return [str(value) for value in values]
    edges = np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])
    return [None if value is None else int(np.searchsorted(edges, value, side="right")) for value in numbers]


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if np.isfinite(found) else None


def _mean_by_row(differences: FloatArray, owners: Any, rows: int) -> FloatArray:
    """The mean of the changed texts of each row, (rows, columns); 0 where there are none."""
    total = np.zeros((rows, differences.shape[1]))
    np.add.at(total, owners, differences)
    return np.asarray(total / np.maximum(np.bincount(owners, minlength=rows), 1)[:, None])


def _answers(model: ModelHandle, scores: FloatArray) -> list[Any]:
    return list(model.task.decide(scores.astype(np.float32)))


def _texts(item: Input) -> tuple[str, ...]:
    return (item,) if isinstance(item, str) else item


def headers(found: Mapping[str, Any]) -> list[str]:
    """The names of the columns of `table_rows`."""
    names = {
        "effect": t("effect of the feature"), "taken": t("where it is taken away"), "given": t("where it is put in"),
        "naive": t("difference as observed"), "adjusted": t("difference, adjusted"),
    }  # fmt: skip
    return [t("class"), *(names[key] for key in _columns(found))]


def table_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Every effect with its intervals, from `Effects.to_json`."""
    return [[each["label"], *(_shown(each[key]) for key in _columns(found))] for each in found["effects"]]


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What the numbers are, from `Effects.to_json`, in the language in force."""
    said = [
        t("{having} of {rows} rows have {feature}; the answer to {flipped:.1%} of the changed texts is another.",
          **{key: found[key] for key in ("having", "rows", "feature", "flipped")})
    ]  # fmt: skip
    if found["overlap"] is not None:
        said.append(
            t("Adjusted for {columns}, within strata that hold {overlap:.0%} of the rows.",
              columns=", ".join(found["confounders"]), overlap=found["overlap"])
        )  # fmt: skip
    said.append(t("{asked} answers of the model were needed.", asked=found["asked"]))
    return said


def _columns(found: Mapping[str, Any]) -> list[str]:
    """Those that hold something: where only one thing was done, that is the whole effect."""
    first = found["effects"][0]
    both = all(first[key]["value"] is not None for key in ("taken", "given"))
    return ["effect", *(["taken", "given"] if both else []), "naive", *(["adjusted"] if first["adjusted"] else [])]


def _shown(each: Mapping[str, Any]) -> str:
    if each["value"] is None:
        return "-"
    return f"{each['value']:+.3f} [{each['low']:+.3f}, {each['high']:+.3f}]"
