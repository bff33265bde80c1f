"""Requests per second against latency, up to and beyond what a server can do: tuneloop, LitServe, BentoML, plain.

    python -m venv --system-site-packages PEERS && PEERS/bin/pip install litserve==0.2.19 'bentoml>=1.4,<1.5'
    python -m benchmarks.saturation --peers-python PEERS/bin/python [--seconds 5] [--rounds 3]

Writes `benchmarks/quality/saturation.json`. All servers run side by side with one and the same model and are asked in
turn, so that a slow minute of the machine hits all of them. Requests of one text each come at random moments (Poisson)
at a share of what the server did with clients in a closed loop; they are sent whether it answers or not, and a latency
counts from the moment its request was due. Peers have an interpreter of their own, as they may want other versions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
from datetime import UTC, datetime
from statistics import mean, median
from typing import Any

from benchmarks.contenders import CONTENDERS, OURS, PLAIN, Running, able, labels, running
from benchmarks.data import unused_texts
from benchmarks.load import Load, at_moments, closed_loop, poisson
from benchmarks.model_metrics import Computed, computed
from benchmarks.release import sentiment_release
from benchmarks.results import QUALITY, machine
from tuneloop.core.fsio import write_json
from tuneloop.serve.batching import BYTES_PER_TOKEN

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.2)
CLIENTS = 32
ALIKE_TEXTS = 30
TEXTS = 2000
DRAIN_S = 20.0
MOST_WAITING = 1000
"""Requests under way at once at most, so that a server that stalls does not fill this machine's memory."""

Steps = dict[str, dict[float, list[dict[str, float]]]]


def main() -> None:
    """Measure, print and write."""
    options = _options()
    names = able(options.servers, options.peers_python)
    texts = unused_texts(TEXTS, 4)
    with running(list(names), texts, options.peers_python) as servers:
        told = {name: labels(each, ALIKE_TEXTS) for name, each in servers.items()}
        alone = _capacities(servers, seconds=options.seconds, rounds=options.rounds)
        capacity = {name: each["capacity"] for name, each in alone.items()}
        steps, done = _curves(servers, capacity, seconds=options.seconds, rounds=options.rounds)
    curve = {name: {_percent(share): _middle(found) for share, found in each.items()} for name, each in steps.items()}
    about = {
        "engine": sentiment_release().engine, "clients": CLIENTS, "seconds": options.seconds, "rounds": options.rounds,
        "shares": list(SHARES), "limit_ms": options.limit_ms, "machine": machine(),
        "threads_of_pytorch": os.environ.get("OMP_NUM_THREADS", "default"),
        "load_average": round(os.getloadavg()[2], 1), "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": "python -m benchmarks.saturation --peers-python PEERS/bin/python"
        f" --seconds {options.seconds:g} --rounds {options.rounds}",
        "tokens_in_a_text": round(mean(2 + len(text.encode()) // BYTES_PER_TOKEN for text in texts), 1),
        "same_labels_as_plain": _alike(told),
    }  # fmt: skip
    settings = {name: " ".join(filter(None, (version, CONTENDERS[name].settings))) for name, version in names.items()}
    found = about | {
        "settings": settings,
        "servers": {name: summary(alone, curve, name, options.limit_ms) for name in curve},
        "curve": curve,
        "batches": {_percent(share): each.to_json() for share, each in done.items()},
    }
    print(json.dumps(found, indent=2))
    write_json(QUALITY / "saturation.json", found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.saturation", description=__doc__.split("\n")[0])
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter with litserve and bentoml")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each step")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit-ms", type=float, default=500.0, help="p99 within which the best rate is looked for")
    parser.add_argument("--servers", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="NAME")
    options = parser.parse_args()
    if OURS not in options.servers:
        parser.error(f"{OURS} is what the others are compared with; name it too")
    return options


def _capacities(servers: dict[str, Running], *, seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """Of clients that ask again when they have their answer, in turns, the first of which does not count."""
    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
    for turn in range(rounds + 1):
        for name, each in servers.items():
            before_s = each.cpu_s
            load = asyncio.run(closed_loop(each.url, each.bodies, clients=CLIENTS, seconds=seconds))
            if turn:
                turns[name].append((load.rps, 1000 * (each.cpu_s - before_s) / max(1, len(load.latencies_s))))
            print(f"  {turn} {name}: {load}", flush=True)
    return {
        name: {
            "capacity": round(median(rps for rps, _ in found), 1),
            "cpu_ms": round(median(cpu_ms for _, cpu_ms in found), 1),
            "memory_mb": servers[name].memory_mb,
        }
        for name, found in turns.items()
    }


def _curves(
    servers: dict[str, Running], capacity: dict[str, float], *, seconds: float, rounds: int
) -> tuple[Steps, dict[float, Computed]]:
    """Every step of every server, and what tuneloop's model did in its own."""
    steps: Steps = {name: {share: [] for share in SHARES} for name in servers}
    done = {share: Computed() for share in SHARES}
    for turn in range(rounds):
        for number, share in enumerate(SHARES):
            for name, each in servers.items():
                before = computed(each.url) if name == OURS else Computed()
                load = _step(each, share * capacity[name], seconds, seed=seed_of(turn, number))
                if name == OURS:
                    done[share] += computed(each.url) - before
                steps[name][share].append(figures(load, share * capacity[name]))
                print(f"  {turn + 1} {_percent(share)} {name}: {load}, unanswered {load.unanswered}", flush=True)
    return steps, done


def seed_of(turn: int, number: int) -> int:
    """Of the arrivals of a step: the same for every server, and for the model of a queue."""
    return 1000 * turn + number


def _step(each: Running, rate: float, seconds: float, *, seed: int) -> Load:
    moments = poisson(rate, seconds, seed=seed)

    async def step() -> Load:
        load = await at_moments(each.url, each.bodies, moments, drain_s=DRAIN_S, most_waiting=MOST_WAITING)
        await closed_loop(each.url, each.bodies, clients=1, requests=1)  # behind all that it still has to do
        return load

    return asyncio.run(step())


def figures(load: Load, offered: float) -> dict[str, float]:
    """What one step came to; a latency of a request without an answer has no end."""
    ordered = sorted(load.latencies_s) + [math.inf] * load.unanswered
    refused = sum(count for status, count in load.statuses.items() if status != 200) + load.refused
    return {
        "offered": offered, "achieved": load.rps, "p50_ms": _quantile_ms(ordered, 0.5),
        "p99_ms": _quantile_ms(ordered, 0.99), "refused": refused, "unanswered": load.unanswered,
    }  # fmt: skip


def _quantile_ms(ordered: list[float], share: float) -> float:
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.inf


def _middle(found: list[dict[str, float]]) -> dict[str, float | None]:
    """Medians over the rounds, and sums of what is counted; None where there is no end of it."""
    counted = ("refused", "unanswered")
    values = {
        name: sum(each[name] for each in found) if name in counted else round(median(each[name] for each in found), 1)
        for name in found[0]
    }
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def summary(
    alone: dict[str, dict[str, float]], curve: dict[str, Any], name: str, limit_ms: float
) -> dict[str, float | None]:
    """A server in one row; ratios above 1 are in tuneloop's favour."""
    ours, rate = best(curve[OURS], limit_ms), best(curve[name], limit_ms)
    return {
        **alone[name], "best_within_limit": rate,
        "capacity_ratio": round(alone[OURS]["capacity"] / alone[name]["capacity"], 2),
        "cpu_ratio": round(alone[name]["cpu_ms"] / alone[OURS]["cpu_ms"], 2),
        "within_limit_ratio": round(ours / rate, 2) if ours and rate else None,
    }  # fmt: skip


def best(steps: dict[str, dict[str, float | None]], limit_ms: float) -> float | None:
    """Most requests per second of a step in which nothing was refused and p99 is within the limit."""
    held = [
        each["achieved"] or 0.0
        for each in steps.values()
        if not each["refused"] and each["p99_ms"] is not None and each["p99_ms"] <= limit_ms
    ]
    return max(held, default=None)


def _alike(told: dict[str, list[str]]) -> dict[str, str]:
    right = told.get(PLAIN, told[OURS])
    return {name: f"{sum(map(str.__eq__, each, right))} of {len(right)}" for name, each in told.items()}


def _percent(share: float) -> str:
    return f"{share:.0%}"


if __name__ == "__main__":
    main()
