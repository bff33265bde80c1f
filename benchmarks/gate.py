"""How often is the gate fooled? Updates of which the truth is known, 1,000 of each kind.

    python -m benchmarks.gate [--updates 1000]

Writes `benchmarks/quality/gate.json`: how often updates are promoted, held and asked about that change nothing, that
lose 2 points on the old rows while they gain 3 on the new ones, that lose as much on the new ones, and that are truly
better. Rows are 2,000 of each test set; both models are right on 80 % of them, and disagree on about one in ten.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

import numpy as np

from benchmarks.results import QUALITY, machine
from tuneloop.core.config import TaskConfig
from tuneloop.core.fsio import write_json
from tuneloop.core.updating import GateConfig
from tuneloop.evaluation.paired import compare
from tuneloop.loop.gate import Evidence, decide
from tuneloop.tasks import create_task

PATH = QUALITY / "gate.json"
RIGHT, DIFFER = 0.8, 0.1
ROWS = 2000
KINDS = {
    "null": {"gain": 0.0, "loss": 0.0},
    "forgets 2 points": {"gain": 0.03, "loss": 0.02},
    "worse by 2 points everywhere": {"gain": -0.02, "loss": 0.02},
    "better by 3 points": {"gain": 0.03, "loss": 0.0},
}


def pair(random: np.random.Generator, rows: int, change: float) -> tuple[list[str], Any, Any]:
    """Labels of a balanced task, and the scores of a candidate and of the current model, better by `change`."""
    labels = random.integers(0, 2, rows)
    current = random.random(rows) < RIGHT
    differs = random.random(rows) < DIFFER
    # among rows on which they differ, the candidate is right (DIFFER + change) / 2 / DIFFER of the time
    wins = random.random(rows) < (DIFFER + change) / 2 / DIFFER
    candidate = np.where(differs, wins, current)
    current = np.where(differs, ~wins, current)

    def scores(right: Any) -> Any:
        chosen = np.where(right, labels, 1 - labels)
        return np.eye(2, dtype=np.float32)[chosen] * np.float32(0.8) + np.float32(0.1)

    return [("a", "b")[each] for each in labels], scores(candidate), scores(current)


def simulated(task: Any, random: np.random.Generator, *, rows: int, gain: float, loss: float) -> str:
    """The verdict on one update: better by `gain` on the new rows, worse by `loss` on the old ones."""
    found = []
    for name, change in (("new", gain), ("old", -loss)):
        labels, candidate, current = pair(random, rows, change)
        difference = compare(task, labels, candidate, current, seed=int(random.integers(1 << 31)), resamples=400)
        found.append(Evidence(name, "new" if name == "new" else "old", rows, difference))
    return decide(found, GateConfig()).verdict


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=1000)
    updates = parser.parse_args().updates
    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})
    found = {}
    for name, truth in KINDS.items():
        random = np.random.default_rng([1, *name.encode()])
        verdicts = Counter(simulated(task, random, rows=ROWS, **truth) for _ in range(updates))
        found[name] = {verdict: verdicts[verdict] / updates for verdict in ("promote", "hold", "ask")}
        print(name, found[name], flush=True)
    command = "python -m benchmarks.gate"
    write_json(PATH, {"updates": updates, "rows": ROWS, "found": found, "command": command, "machine": machine()})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
