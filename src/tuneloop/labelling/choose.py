"""Which texts to label next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples, Input
from tuneloop.data.near import comparable
from tuneloop.labelling.base import Suggestion
from tuneloop.labelling.reading import read_pool
from tuneloop.labelling.strategies import STRATEGIES
from tuneloop.labelling.strategies.base import Diversity, Need, ScoreStrategy, Strategy

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle

AUTO = "auto"
COLD = "cluster"
"""What `auto` is without labels or without a model."""
BEST = "margin"
"""What `auto` is with both: with `diversity: kmeans` it needed the fewest labels on dev of `benchmarks.active`."""


def suggest(
    items: Sequence[Input],
    labelled: Examples | None,
    model: ModelHandle | None,
    *,
    strategy: str = AUTO,
    count: int = 20,
    seed: int = 0,
    encoder: str = "",
    diversity: Diversity | None = None,
    quiet: bool = False,
) -> list[Suggestion]:
    """Texts that are worth labelling, the most wanted first; the same seed suggests the same ones.

    Texts that are labelled already, and all but the first of equal ones, are left out; case and spaces do not count.

    Args:
        items: texts without labels, or (text, pair) tuples.
        labelled: what has labels; None or empty before the first.
        model: what was tuned on them; None before the first.
        strategy: one of `STRATEGIES`; "auto" is cluster without labels or a model, else margin.
        count: how many; fewer come back where there are fewer texts.
        seed: of random draws.
        encoder: a model source whose vectors are compared where there is no model, or where it tells none.
        diversity: how strategies that judge each text alone keep a batch from saying the same many times; by default
            kmeans where the model tells vectors or an encoder is named, else none.
        quiet: show no progress.

    Raises:
        ConfigError: if there is no such strategy, `count` is below 1, or the strategy has no use for `diversity`.
        ModelError: if the model cannot tell what the strategy needs; it says why.
    """
    if count < 1:
        raise ConfigError(t("The number of texts to suggest is {count}.", count=count), t("Ask for 1 or more."))
    known = labelled.inputs if labelled is not None else []
    told = bool(encoder) or bool(getattr(model, "has_vectors", False))
    chosen = _create(chosen_name(strategy, known, model), diversity, told=told)
    rows = unlabelled_rows(items, known)
    if not rows:
        return []
    needs: list[Need] = [*chosen.needs]
    if isinstance(chosen, ScoreStrategy) and chosen.diversity != "none":
        needs.append("vectors")
    _check(chosen, known)
    left = [items[row] for row in rows]
    pool = read_pool(
        left, known if chosen.looks_at_labelled else [], model, needs=needs, encoder=encoder, seed=seed, quiet=quiet
    )
    found = chosen.choose(pool, count, seed=seed)
    guesses = _guesses(model, [left[row] for row in found.rows])
    return [
        Suggestion(rows[row], left[row], float(score), chosen.name, guess)
        for row, score, guess in zip(found.rows.tolist(), found.scores, guesses, strict=True)
    ]


def chosen_name(strategy: str, labelled: Sequence[Input], model: ModelHandle | None) -> str:
    """The strategy that `auto` stands for; any other name as it is."""
    if strategy != AUTO:
        return strategy
    if model is None or not labelled or model.task.problem_type != "single_label_classification":
        return COLD
    return BEST


def unlabelled_rows(items: Sequence[Input], labelled: Sequence[Input]) -> list[int]:
    """Rows of texts that are not labelled, the first of equal ones."""
    seen = {_key(item) for item in labelled}
    rows = []
    for row, item in enumerate(items):
        key = _key(item)
        if key not in seen:
            seen.add(key)
            rows.append(row)
    return rows


def _key(item: Input) -> tuple[str, ...]:
    return (comparable(item),) if isinstance(item, str) else tuple(map(comparable, item))


def _create(name: str, diversity: Diversity | None, *, told: bool) -> Strategy:
    """The strategy; `told` says whether there are vectors without another model being opened."""
    kind = STRATEGIES.get(name)
    if issubclass(kind, ScoreStrategy):
        return kind(diversity or ("kmeans" if told else "none"))
    if diversity not in (None, "none"):
        raise ConfigError(
            t("The strategy {name} chooses a batch as a whole; diversity {diversity} adds nothing.", name=name,
              diversity=diversity),
            t("Set diversity to none, or choose uncertainty, entropy, margin, bald or cal."),
        )  # fmt: skip
    return kind()


def _check(strategy: Strategy, labelled: Sequence[Input]) -> None:
    if not labelled and any(need.startswith("labelled") for need in strategy.needs):
        raise ConfigError(
            t("The strategy {name} compares texts with labelled ones, and there are none.", name=strategy.name),
            t("Begin with the strategy cluster."),
        )


def _guesses(model: ModelHandle | None, items: Sequence[Input]) -> list[str | None]:
    """What the model answers, for whoever labels."""
    if model is None or not items or not model.task.has_classes:
        return [None] * len(items)
    return [str(each.label) if isinstance(each.label, str) else None for each in model.predict(items)]
