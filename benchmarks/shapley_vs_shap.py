"""Shapley values of words: tuneloop against shap's permutation explainer, with the same model and the same masking.

shap draws orders of words, each with its reverse, and asks the model order by order. tuneloop fits values to pairs of
a set and its complement, asks for many at once and for each text once; it is given two thirds of the answers, with
which its error is no larger. Both errors are measured: against the exact values of short texts, and against those of
`REFERENCE` answers on texts as long as the timed ones. `shapley_vs_shap` lets both ask the same predictor;
`shapley_vs_shap_pipeline` lets shap ask transformers.pipeline of the same release, as shap's own pages do.
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
from tuneloop.explain.kernel_shap import kernel_values
from tuneloop.explain.shapley import exact_values

PAIRS = 16
"""Orders, each with its reverse, of a timed explanation by shap."""
SHARE = 0.65
"""tuneloop's answers, as a share of shap's."""
TIMED, SHORT, LONG, SEEDS = 5, 6, 5, 4
"""Texts of a timed repetition, texts whose errors are measured against the exact values and against the reference,
and how often each is explained."""
LONG_WORDS, SHORT_WORDS = range(14, 25), range(10, 13)
REFERENCE = 8_000
"""Answers for the values that stand for the exact ones where these would take too many."""


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
        name, sides, ours=f"pairs of a set and its complement, asked for together, {SHARE:.0%} of shap's answers",
        smaller_is_better=True,
        peer=f"shap.PermutationExplainer, {PAIRS} orders and their reverses, the same masking, "
        + ("transformers.pipeline of the release" if through_pipeline else "the same predictor"),
        peer_package="shap", unit="s/text", quality=_quality(model, short, long[:LONG]),
    )  # fmt: skip


def _quality(model: Any, short: list[Question], long: list[Question]) -> dict[str, Any]:
    """Root mean squared errors, and by how much sums are off."""
    truths = [exact_values(Game(model, each)) for each in short]
    nearly = [_ours_with(model, each, REFERENCE, seed=99) for each in long]
    found, sums = {}, []
    for kind, questions, right in (("exact", short, truths), ("reference", long, [each for each, _ in nearly])):
        for side, explain in (("tuneloop", _ours), ("shap", _shap)):
            off = []
            for question, truth in zip(questions, right, strict=True):
                for seed in range(SEEDS):
                    values = explain(model if side == "tuneloop" else model.scores, question, PAIRS, seed=seed)
                    off.append(values - truth)
                    if side == "tuneloop":
                        sums.append(abs(values.sum() - np.subtract(*Game(model, question).ends()[::-1])))
            found[f"error_of_{side}_against_{kind}"] = round(float(np.sqrt(np.mean(np.concatenate(off) ** 2))), 5)
    return found | {
        "largest_standard_error_of_the_reference": round(float(max(errors.max() for _, errors in nearly)), 5),
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
    answers = 2 + round(SHARE * pairs * 2 * (len(question.units) - 1))
    return _ours_with(model, question, answers, seed=seed)[0]


def _ours_with(model: Any, question: Question, answers: int, *, seed: int) -> tuple[Any, Any]:
    return kernel_values(Game(model, question), np.random.default_rng(seed), answers=answers, max_error=0.0)


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
