"""How often an equal canary is taken out, and how soon a worse one is: canaries of which the truth is known.

    python -m benchmarks.canary [--canaries 1000] [--worse 40]

Writes `benchmarks/quality/canary.json`. An equal canary fails 2 %, is slow on 5 %, abstains on 3 % and is wrong on 20 %
of its requests, as the current release does; all four criteria are looked at after every one of 500 requests, and one
that is called worse by any of them counts. Of a worse one a single criterion differs, and what is counted are the
requests of both sides, or pieces of feedback, until it is called worse at the level that it has among four criteria.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.results import QUALITY, machine
from tuneloop.audits.base import share as share_of
from tuneloop.core.deploying import DeployConfig
from tuneloop.core.fsio import write_json
from tuneloop.watch.canary import CRITERIA, Comparison, Criterion

PATH = QUALITY / "canary.json"
EQUAL = {"failed": 0.02, "slow": 0.05, "abstained": 0.03, "wrong": 0.2}
REQUESTS, MOST = 500, 20_000
SHARES = (0.1, 0.5)
WORSE = [(before, more) for before in (0.01, 0.05, 0.2) for more in (0.05, 0.1)]


def is_taken_out(random: np.random.Generator, share: float, config: DeployConfig) -> bool:
    """Whether a canary that is as good as the current release is called worse within its requests."""
    comparison = Comparison(config.alpha, config.margin)
    sides = (random.random(REQUESTS) < share).tolist()
    bad = {name: (random.random(REQUESTS) < rate).tolist() for name, rate in EQUAL.items()}
    for number, candidate in enumerate(sides):
        for name in CRITERIA:
            comparison.note("candidate" if candidate else "current", name, bad[name][number])
        if candidate and comparison.worse() is not None:
            return True
    return False


def requests_until(
    random: np.random.Generator, before: float, after: float, share: float, config: DeployConfig
) -> float:
    """Requests until a canary whose share is `after` in the place of `before` is called worse; inf if it is not."""
    criterion = Criterion(config.margin)
    sides = (random.random(MOST) < share).tolist()
    chances = random.random(MOST).tolist()
    for number, candidate in enumerate(sides):
        criterion.note("candidate" if candidate else "current", chances[number] < (after if candidate else before))
        if candidate and criterion.verdict(config.alpha / len(CRITERIA)) == "worse":
            return number + 1
    return float("inf")


def main() -> None:
    """Simulate, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary", description=__doc__)
    parser.add_argument("--canaries", type=int, default=1000)
    parser.add_argument("--worse", type=int, default=40)
    options = parser.parse_args()
    config = DeployConfig()  # type: ignore[call-arg]
    random = np.random.default_rng(0)
    equal = []
    for share in SHARES:
        taken = sum(is_taken_out(random, share, config) for _ in range(options.canaries))
        equal.append(
            {"share": share, "canaries": options.canaries, "taken_out": asdict(share_of(taken, options.canaries))}
        )
        print(equal[-1], flush=True)
    worse: list[dict[str, Any]] = []
    for share in SHARES:
        for before, more in WORSE:
            found = [requests_until(random, before, before + more, share, config) for _ in range(options.worse)]
            middle, late = np.quantile(found, (0.5, 0.9), method="higher")
            worse.append({
                "share": share, "current": before, "candidate": round(before + more, 3),
                "requests_p50": _plain(middle), "requests_p90": _plain(late),
                "not_found": int(np.isinf(found).sum()), "canaries": options.worse,
            })  # fmt: skip
            print(worse[-1], flush=True)
    write_json(
        PATH,
        {
            "command": "python -m benchmarks.canary", "machine": machine(), "alpha": config.alpha,
            "requests": REQUESTS, "most_requests": MOST, "equal": equal, "worse": worse,
        },
    )  # fmt: skip


def _plain(requests: float) -> int | None:
    return int(requests) if np.isfinite(requests) else None


if __name__ == "__main__":
    main()
