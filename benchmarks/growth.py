"""From one measured server to 1,000 replicas and a billion events a day: what a model of the queue says, and how far
off it is where it can be checked.

    python -m benchmarks.growth [--peak 2] [--limit-ms 1000]

Writes `benchmarks/quality/growth.json` from `saturation.json` and `store_rates.json` in the same folder; measures
nothing itself. The model is `benchmarks.queueing`; the time of a batch is fitted to what the server's own counters said
while it was loaded, and its answers at each rate are compared with those that were measured at the same arrivals.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from benchmarks.load import poisson
from benchmarks.model_metrics import Computed, service_times
from benchmarks.queueing import Choose, Server, at_random, least, of_two, simulate
from benchmarks.results import QUALITY, read
from benchmarks.saturation import OURS, seed_of
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.fsio import write_json
from tuneloop.core.watching import WatchConfig
from tuneloop.serve.batching import TURN_PASSES
from tuneloop.serve.following import LOOK_S
from tuneloop.watch.writer import LINGER_S

REPLICAS = (1, 10, 100, 1000)
LOADS = (0.5, 0.7, 0.9)
"""Shares of what a replica can do at most."""

POLICIES: dict[str, Choose] = {"random": at_random, "two choices": of_two, "least": least}
DAY_S = 86_400
DAYS = (10**6, 10**7, 10**8, 10**9)
"""Events a day."""

REQUESTS = 60_000
"""In each simulation at least."""

STRETCH = 500
"""And as long at least, in times that a request takes alone: queues need a while to become as long as they stay."""

DRAWS = 9
"""How often a step is simulated; the times of its batches are drawn anew."""

CONNECTIONS = 2
"""That a replica holds to PostgreSQL: its events, and what is deployed."""


@dataclass(frozen=True)
class Replica:
    """A measured server.

    Args:
        batch_s: seconds of a batch.
        text_s: seconds of each text in it.
        overhead_s: of a request outside of its batch.
        most: texts in a batch at most.
        spread: standard deviation of the time of one text alone, as a share of it.
    """

    batch_s: float
    text_s: float
    overhead_s: float
    most: int
    spread: float

    @property
    def most_per_s(self) -> float:
        """Texts a second in full batches."""
        return self.most / (self.batch_s + self.most * self.text_s)

    def as_fast_as(self, requests_per_s: float) -> Replica:
        """One whose batches are alike, on a machine that does so many at most."""
        factor = self.most_per_s / requests_per_s
        return replace(self, **{name: getattr(self, name) * factor for name in ("batch_s", "text_s", "overhead_s")})

    def as_then(self, done: Computed) -> Replica:
        """With batches as slow or fast as those that were computed in a stretch of time."""
        usual_s = self.batch_s * done.batches + self.text_s * done.texts
        factor = done.seconds / usual_s if usual_s else 1.0
        return replace(self, batch_s=self.batch_s * factor, text_s=self.text_s * factor)

    def server(self, seed: int) -> Server:
        """It as a queue.

        Times are lognormal about their mean. What disturbs one stretch of time knows nothing of the next, so that their
        variance grows as they do: of a long batch it is a smaller share.
        """
        draw, limits = random.Random(seed), ServeConfig()  # type: ignore[call-arg]
        alone_s = self.batch_s + self.text_s

        def service_s(texts: int) -> float:
            mean_s = self.batch_s + self.text_s * texts
            variance = math.log(1 + self.spread**2 * alone_s / mean_s)
            return mean_s * draw.lognormvariate(-variance / 2, math.sqrt(variance))

        return Server(
            service_s, self.most, wait_s=limits.max_wait_ms / 1000, max_queue=limits.max_queue,
            deadline_s=limits.deadline_s, overhead_s=self.overhead_s,
        )  # fmt: skip


def fitted(measured: dict[str, Any]) -> Replica:
    """The replica that explains what was measured.

    Time of a batch from the server's counters at all rates; what is done outside of batches, and by how much a batch's
    time varies, from p50 and p99 at the lowest rate alone, so that the higher ones are left to check.
    """
    batch_s, text_s = service_times([Computed(**each) for each in measured["batches"].values()])
    most = int(TURN_PASSES * ServeConfig().max_batch_tokens / measured["tokens_in_a_text"])  # type: ignore[call-arg]
    steps = enumerate(measured["curve"][OURS].values())
    number, lowest = next((number, each) for number, each in steps if each["p50_ms"] and each["p99_ms"])

    def at_lowest(replica: Replica) -> tuple[float, float]:
        found = repeated(replica, measured, number, lowest["offered"])
        return found["p50_ms"], found["p99_ms"]

    spread = _smallest(lambda value: at_lowest(Replica(batch_s, text_s, 0.0, most, value))[1], lowest["p99_ms"])
    middle, _ = at_lowest(Replica(batch_s, text_s, 0.0, most, spread))
    overhead_s = max(0.0, lowest["p50_ms"] - middle) / 1000
    return Replica(batch_s, text_s, overhead_s, most, spread)


def _smallest(of: Callable[[float], float], wanted: float) -> float:
    """The spread, to a twentieth and 2 at most, from which on a figure reaches what is wanted."""
    return next((step / 20 for step in range(40) if of(step / 20) >= wanted), 2.0)


def repeated(replica: Replica, measured: dict[str, Any], number: int, offered: float) -> dict[str, float]:
    """What the model says of a step: the same arrivals, medians over as many rounds and over chance."""
    found = []
    for turn in range(measured["rounds"]):
        moments = poisson(offered, measured["seconds"], seed=seed_of(turn, number))
        for chance in range(DRAWS):
            outcome = simulate(replica.server(chance), moments)
            found.append((outcome.quantile_ms(0.5), outcome.quantile_ms(0.99)))
    return {"p50_ms": median(each[0] for each in found), "p99_ms": median(each[1] for each in found)}


def checked(replica: Replica, measured: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """Every measured step beside the model's; errors are of the model, as a share of what was measured.

    Errors `then` are those of the model with batches as slow or fast as they were in that very step, which leaves the
    queue to check where the machine was not equally busy all the time.
    """
    rows: dict[str, dict[str, float | None]] = {}
    for number, (share, step) in enumerate(measured["curve"][OURS].items()):
        said = repeated(replica, measured, number, step["offered"])
        then = repeated(replica.as_then(Computed(**measured["batches"][share])), measured, number, step["offered"])
        rows[share] = {"offered": step["offered"]}
        for name in ("p50_ms", "p99_ms"):
            rows[share] |= {name: step[name], f"{name} of the model": round(said[name], 1)}
            rows[share] |= {f"error of {name}": _error(said[name], step[name])}
            rows[share] |= {f"error of {name} then": _error(then[name], step[name])}
    return rows


def _error(said: float, came: float | None) -> float | None:
    return None if came is None else round(said / came - 1, 2)


def grown(replica: Replica, rate: float, replicas: int, choose: Choose) -> dict[str, float]:
    """What becomes of requests at `rate` a second over all replicas."""
    stretch_s = max(STRETCH * (replica.batch_s + replica.text_s), REQUESTS / rate)
    moments = poisson(rate, stretch_s, seed=replicas)
    outcome = simulate(replica.server(1), moments, replicas=replicas, choose=choose, seed=1)
    return {
        "requests_per_s": round(rate), "p50_ms": round(outcome.quantile_ms(0.5), 1),
        "p99_ms": round(outcome.quantile_ms(0.99), 1),
        "refused_share": round((outcome.refused + outcome.expired) / outcome.requests, 4),
    }  # fmt: skip


def needed(replica: Replica, rate: float, choose: Choose, limit_ms: float) -> tuple[int, dict[str, float]]:
    """The fewest replicas, in steps of a twentieth of the load, with which p99 stays within the limit."""
    for step in range(19, 0, -1):
        replicas = math.ceil(rate / (replica.most_per_s * step / 20))
        found = grown(replica, rate, replicas, choose)
        if found["p99_ms"] <= limit_ms and not found["refused_share"]:
            return replicas, found
    raise SystemExit(f"a replica alone does not answer within {limit_ms:g} ms; choose a longer --limit-ms")


def behind(daily: int, replicas: int, memory_mb: float, rates: dict[str, Any]) -> dict[str, float]:
    """What so many events a day ask of what stands behind the replicas."""
    database = "postgresql" if "postgresql" in rates["bytes_of_an_event"]["texts"] else "sqlite"
    event, keep = rates["bytes_of_an_event"]["texts"][database], WatchConfig().keep_days  # type: ignore[call-arg]
    rate = daily / DAY_S
    return {
        "replicas": replicas, "events_per_s": round(rate, 1), "writes_per_s": round(min(rate, replicas / LINGER_S), 1),
        "looks_per_s": round(replicas / LOOK_S), "connections": CONNECTIONS * replicas,
        "memory_gb": round(replicas * memory_mb / 1024, 1), "events_gb_a_day": round(daily * event / 1e9, 2),
        "events_tb_kept": round(daily * event * keep / 1e12, 3),
        "trail_gb_a_day": round(daily * rates["trail"]["bytes_of_an_answer"] / 1e9, 2),
    }  # fmt: skip


def grow(
    measured: dict[str, Any], rates: dict[str, Any], *, bf16_per_s: float, peak: float, limit_ms: float
) -> dict[str, Any]:
    """The check, the growth, and a day of a billion on the measured machine and on one with bf16.

    Args:
        bf16_per_s: requests a second that the same server did on a machine with bf16, with an engine in int8.
    """
    replica, busiest = fitted(measured), peak * DAYS[-1] / DAY_S
    machines = {"measured": replica, "bf16": replica.as_fast_as(bf16_per_s)}
    many = {
        f"{load:.0%} load, {name}": {
            str(replicas): grown(replica, load * replica.most_per_s * replicas, replicas, choose)
            for replicas in REPLICAS
        }
        for load in LOADS
        for name, choose in POLICIES.items()
    }
    day = {
        f"{machine}, {name}": needed(each, busiest, choose, limit_ms)
        for machine, each in machines.items()
        for name, choose in POLICIES.items()
    }
    fewest, memory_mb = day["bf16, two choices"][0], measured["servers"][OURS]["memory_mb"]
    return {
        "engine": measured["engine"], "peak_factor": peak, "limit_ms": limit_ms, "bf16_per_s": bf16_per_s,
        "replica": {
            "batch_ms": round(1000 * replica.batch_s, 2), "text_ms": round(1000 * replica.text_s, 2),
            "overhead_ms": round(1000 * replica.overhead_s, 2), "most_texts": replica.most,
            "spread": replica.spread, "most_per_s": round(replica.most_per_s, 1),
        },
        "check": checked(replica, measured),
        "growth": many,
        "billion": {name: {"replicas": count} | found for name, (count, found) in day.items()},
        "behind": {str(daily): behind(daily, math.ceil(fewest * daily / DAYS[-1]), memory_mb, rates) for daily in DAYS},
    }  # fmt: skip


def main() -> None:
    """Simulate, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.split("\n")[0])
    parser.add_argument("--peak", type=float, default=2.0, help="the busiest hour as a multiple of the mean")
    parser.add_argument("--limit-ms", type=float, default=1000.0, help="within which p99 must stay")
    options = parser.parse_args()
    measured, rates = (json.loads((QUALITY / f"{name}.json").read_text(encoding="utf-8"))
                       for name in ("saturation", "store_rates"))  # fmt: skip
    bf16_per_s = next(each["ours_value"] for each in read() if each["name"] == "serve_vs_plain")
    found = grow(measured, rates, bf16_per_s=bf16_per_s, peak=options.peak, limit_ms=options.limit_ms)
    command = f"python -m benchmarks.growth --peak {options.peak:g} --limit-ms {options.limit_ms:g}"
    found |= {name: measured[name] for name in ("machine", "load_average", "date")} | {"command": command}
    print(json.dumps(found, indent=2))
    write_json(QUALITY / "growth.json", found)


if __name__ == "__main__":
    main()
