"""Shapley values of words: tuneloop against shap's permutation explainer, with the same model and the same masking.

Both draw an order and its reverse, so equal numbers of orders give equal errors; that is measured too, against the
exact values of short texts. What differs is how the model is asked: shap order by order, tuneloop many at once, each
text once. `shapley_vs_shap` lets both ask the same predictor; `shapley_vs_shap_pipeline` lets shap ask
transformers.pipeline of the same release, as shap's own pages do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.data import unused_texts
from benchmarks.measure import alternate, seconds
from benchmarks.release import sentiment_release
from benchmarks.results import Result, result
from tuneloop.explain import create_explainer
from tuneloop.explain.base import Question
from tuneloop.explain.game import Game
from tuneloop.explain.shapley import exact_values, sampled_values

PAIRS = 16
"""Orders, each with its reverse, of a timed explanation."""
TIMED, SHORT = 5, 6
"""Texts of a timed repetition, and texts whose exact values are known."""
LONG_WORDS, SHORT_WORDS = range(14, 25), range(8, 11)
BUDGETS = (4, 8, 16, 32)
"""Pairs of orders at which errors are compared."""


def run(name: str) -> Result:
    """Seconds for the values of one text at the same number of orders, and so at the same error."""
    model = sentiment_release().predictor()
    through_pipeline = name.endswith("_pipeline")
    asked = _pipeline_scores(model.task.labels) if through_pipeline else model.scores
    long, short = _questions(model, LONG_WORDS, 4 * TIMED), _questions(model, SHORT_WORDS, SHORT)

    def ours(number: int) -> float:
        return seconds(lambda: [_ours(model, each, PAIRS, seed=number) for each in _portion(long, number)]) / TIMED

    def peer(number: int) -> float:
        return seconds(lambda: [_shap(asked, each, PAIRS, seed=number) for each in _portion(long, number)]) / TIMED

    sides = alternate(ours, peer)
    return result(
        name, sides, ours=f"{PAIRS} orders and their reverses, asked for together", smaller_is_better=True,
        peer=f"shap.PermutationExplainer, {PAIRS} orders and their reverses, the same masking, "
        + ("transformers.pipeline of the release" if through_pipeline else "the same predictor"),
        peer_package="shap", unit="s/text", quality=_quality(model, short, long[:TIMED]),
    )  # fmt: skip


def _quality(model: Any, short: list[Question], long: list[Question]) -> dict[str, Any]:
    """Errors against exact values as orders grow, agreement on longer texts, and by how much sums are off."""
    truths = [exact_values(Game(model, each)) for each in short]
    errors: dict[str, dict[str, float]] = {"tuneloop": {}, "shap": {}}
    for pairs in BUDGETS:
        for side, explain in (("tuneloop", _ours), ("shap", _shap)):
            asked = model if side == "tuneloop" else model.scores
            off = [explain(asked, each, pairs, seed=1) - truth for each, truth in zip(short, truths, strict=True)]
            errors[side][f"{pairs} pairs"] = round(float(np.sqrt(np.mean(np.concatenate(off) ** 2))), 5)
    both = [(_ours(model, each, PAIRS, seed=1), _shap(model.scores, each, PAIRS, seed=1)) for each in long]
    sums = [
        abs(ours.sum() - np.subtract(*Game(model, each).ends()[::-1]))
        for each, (ours, _) in zip(long, both, strict=True)
    ]
    return {
        "error_against_exact": errors,
        "correlation_on_longer_texts": round(float(np.mean([np.corrcoef(*each)[0, 1] for each in both])), 4),
        "largest_miss_of_the_sum": float(f"{max(sums):.2g}"),
    }


def _questions(model: Any, words: range, count: int) -> list[Question]:
    explainer, found = create_explainer("shapley"), []
    for text in unused_texts(1000, 0):
        question = explainer.question(model, text)
        if len(question.units) in words and not question.truncated:
            found.append(question)
        if len(found) == count:
            return found
    raise SystemExit("too few texts of the wanted length")


def _portion(questions: list[Question], number: int) -> list[Question]:
    return questions[number * TIMED : (number + 1) * TIMED]


def _ours(model: Any, question: Question, pairs: int, *, seed: int) -> np.ndarray[Any, Any]:
    game, random = Game(model, question), np.random.default_rng(seed)
    values, _ = sampled_values(game, random, answers=1_000_000, max_error=0.0, most_pairs=pairs)
    return values


def _shap(scores: Any, question: Question, pairs: int, *, seed: int) -> np.ndarray[Any, Any]:
    import shap

    explainer = shap.PermutationExplainer(_asked(scores, question), _SameMasking(question), seed=seed)
    orders = pairs * (2 * len(question.units) + 1)
    found = explainer(np.array([["x"]], dtype=object), max_evals=orders, silent=True)
    return np.asarray(found.values[0], dtype=np.float64)


def _asked(scores: Any, question: Question) -> Any:
    return lambda items: question.target.of(scores([str(item) for item in items]))


def _pipeline_scores(labels: tuple[str, ...]) -> Any:
    """Probabilities (n, classes) of texts by transformers.pipeline."""
    from benchmarks.predict_vs_pipeline import pipeline

    pipe = pipeline()

    def scores(texts: list[str]) -> np.ndarray[Any, Any]:
        found = [{each["label"]: each["score"] for each in row} for row in pipe(texts, top_k=None)]
        return np.array([[row[label] for label in labels] for row in found], dtype=np.float32)

    return scores


class _SameMasking:
    """Words removed as tuneloop removes them, in the form in which shap wants to be handed it."""

    clustering = None

    def __init__(self, question: Question) -> None:
        self._game, self._units = Game(None, question), len(question.units)  # type: ignore[arg-type]

    def shape(self, _: Any) -> tuple[int, int]:
        return 1, self._units

    def mask_shapes(self, _: Any) -> list[tuple[int]]:
        return [(self._units,)]

    def feature_names(self, _: Any) -> list[list[str]]:
        return [[str(number) for number in range(self._units)]]

    def __call__(self, mask: Any, _: Any) -> tuple[np.ndarray[Any, Any]]:
        present = np.broadcast_to(np.asarray(mask, dtype=bool), (self._units,))
        return (np.array([self._game.item(present)], dtype=object),)
