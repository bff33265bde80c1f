"""What `method: auto` takes, beside every method that it could have taken, for several numbers of labels.

    python -m benchmarks.auto [--methods full,lora,contrastive,probe] [--budgets 8,16,32,128,all] [--seeds 0,1,2]

Writes `benchmarks/quality/auto.json`: for each number of labels the figure of auto, that of the best single method
(which is known only afterwards), and how far auto stays behind it. Methods and auto are judged on the 2,000 test texts;
runs that have a result are not run again.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from benchmarks.methods import measure, values
from benchmarks.results import QUALITY
from tuneloop.core.fsio import write_json

PATH = QUALITY / "auto.json"


def regret(table: dict[str, Any]) -> dict[str, Any]:
    """How far auto stays behind the best other method of a table; below 0 where it is ahead."""
    others = {name: each["value"] for name, each in table.items() if name != "auto"}
    best = max(others, key=others.__getitem__)
    behind = others[best] - table["auto"]["value"]
    return {"auto": table["auto"]["value"], "best": best, "best_value": others[best], "behind": round(behind, 4)}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", type=values, default=["full", "lora", "contrastive", "probe"])
    parser.add_argument("--budgets", type=values, default=[8, 16, 32, 128, "all"])
    parser.add_argument("--seeds", type=values, default=[0, 1, 2])
    options = parser.parse_args()
    found = measure(["auto", *options.methods], budgets=options.budgets, seeds=options.seeds)
    found["auto"] = {budget: regret(table) for budget, table in found["budgets"].items()}
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, found)
    print(json.dumps(found["auto"], indent=2))


if __name__ == "__main__":
    main()
