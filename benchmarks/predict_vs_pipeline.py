"""Answering many texts: a release as it comes against transformers.pipeline over a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.data import LABELS, Sentiment, unused_texts
from benchmarks.measure import REPETITIONS, alternate, seconds
from benchmarks.release import sentiment_release
from benchmarks.results import Result, result

PORTION = 1000
"""Texts per repetition, other ones each time, so that nobody has met them before."""

TOLERANCE = 0.003
"""Accuracy that may be lost: 0.3 points."""


def run(name: str) -> Result:
    """Texts per second, from strings to labels, with the pipeline's defaults."""
    return compare(name, {}, "transformers.pipeline over a list, defaults")


def compare(name: str, settings: dict[str, Any], peer_name: str) -> Result:
    """tuneloop against the pipeline called with `settings`."""
    release, pipe = sentiment_release(), pipeline()
    predictor = release.predictor()
    portions = [unused_texts(PORTION, number) for number in range(REPETITIONS + 1)]
    sides = alternate(
        lambda number: PORTION / seconds(lambda: predictor.predict(portions[number])),
        lambda number: PORTION / seconds(lambda: pipe(portions[number], **settings)),
    )
    test = Sentiment().split("test")
    ours = [str(answer.label) for answer in predictor.predict(test.inputs)]
    theirs = [answer["label"] for answer in pipe(test.texts, batch_size=16)]
    accuracies = {"tuneloop": _accuracy(ours, test.labels), "pipeline": _accuracy(theirs, test.labels)}
    if accuracies["tuneloop"] < accuracies["pipeline"] - TOLERANCE:
        raise SystemExit(f"not comparable: accuracies {accuracies} differ by more than {TOLERANCE}")
    return result(
        name, sides, ours=f"Predictor.predict of a release, its own engine ({release.engine})", peer=peer_name,
        peer_package="transformers", unit="texts/s",
        quality={"accuracy": accuracies, "texts": len(test), "agreement": _accuracy(ours, theirs)},
    )  # fmt: skip


def pipeline() -> Any:
    """The pipeline of the release's own Hugging Face folder."""
    import transformers

    transformers.logging.set_verbosity_error()
    release = sentiment_release()
    return transformers.pipeline("text-classification", model=str(release.path))


def _accuracy(found: Sequence[Any], expected: Sequence[Any]) -> float:
    assert set(found) <= set(LABELS)
    return round(sum(a == b for a, b in zip(found, expected, strict=True)) / len(expected), 4)
