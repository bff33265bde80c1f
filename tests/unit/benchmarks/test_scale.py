"""The model is fitted to what was measured and told how far off it is; tables come from figures alone."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import growth
from benchmarks.growth import Replica, behind, checked, fitted, grown, needed, repeated
from benchmarks.load import poisson
from benchmarks.queueing import at_random, of_two, simulate
from benchmarks.saturation import seed_of
from benchmarks.scale import WORDS, limits, put, tables

TRUE = Replica(batch_s=0.02, text_s=0.004, overhead_s=0.003, most=80, spread=0.3)
RATES = {
    "events_per_s_by_events_in_a_write": {"sqlite": {"512": 2000.0}, "postgresql": {"12": 900.0, "512": 2500.0}},
    "bytes_of_an_event": {"texts": {"sqlite": 400, "postgresql": 500}},
    "trail": {"bytes_of_an_answer": 700},
    "looks_at_deployments_per_s": {"sqlite": 16000.0, "postgresql": 2300.0},
    "connections_of_postgresql": 100,
    "machine": {"cpu": "a CPU", "cores": 2},
    "load_average": 7.0,
}


def measurement() -> dict[str, Any]:
    """As if a server had been measured that is exactly the model."""
    found: dict[str, Any] = {
        "seconds": 20.0, "rounds": 2, "tokens_in_a_text": 2048 / TRUE.most, "engine": "an engine",
        "machine": {"cpu": "a CPU", "cores": 2}, "load_average": 7.0, "curve": {"tuneloop": {}}, "batches": {},
    }  # fmt: skip
    for number, share in enumerate((0.1, 0.5, 0.9)):
        offered = share * TRUE.most_per_s
        batches, texts = 0, 0
        for turn in range(2):
            outcome = simulate(TRUE.server(turn), poisson(offered, 20.0, seed=seed_of(turn, number)))
            batches, texts = batches + outcome.batches, texts + outcome.requests
        took = TRUE.batch_s * batches + TRUE.text_s * texts
        found["batches"][f"{share:.0%}"] = {"batches": batches, "texts": texts, "seconds": took}
        said = repeated(TRUE, found, number, offered)
        found["curve"]["tuneloop"][f"{share:.0%}"] = {"offered": offered} | said
    return found


def test_a_server_that_is_the_model_is_found_again_and_its_rates_foretold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "DRAWS", 2)
    measured = measurement()
    replica = fitted(measured)
    assert (replica.batch_s, replica.text_s) == pytest.approx((TRUE.batch_s, TRUE.text_s))
    assert replica.most == TRUE.most
    assert replica.spread == pytest.approx(TRUE.spread, abs=0.11)
    rows = checked(replica, measured)
    assert all(abs(row["error of p50_ms"] or 0) < 0.1 for row in rows.values())
    assert all(abs(row["error of p99_ms"] or 0) < 0.2 for row in rows.values())
    busy = {**measured, "batches": {share: {**each, "seconds": 3 * each["seconds"]} for share, each in
                                    measured["batches"].items()}}  # fmt: skip
    assert all((row["error of p50_ms then"] or 0) > 1 for row in checked(replica, busy).values())
    slow = {**measured, "curve": {"tuneloop": {"10%": {"offered": 10.0, "p50_ms": 999.0, "p99_ms": None}}}}
    (row,) = checked(replica, slow).values()
    assert (row["error of p50_ms"] or 0) < -0.9 and row["error of p99_ms"] is None


def test_fewer_replicas_are_needed_where_the_balancer_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "REQUESTS", 2000)
    monkeypatch.setattr(growth, "STRETCH", 40)
    by_chance, found = needed(TRUE, 2000, at_random, 250)
    looked, _ = needed(TRUE, 2000, of_two, 250)
    assert looked <= by_chance
    assert found["p99_ms"] <= 250
    assert by_chance > 2000 / TRUE.most_per_s
    with pytest.raises(SystemExit, match="longer --limit-ms"):
        needed(TRUE, 2000, at_random, 1)
    assert grown(TRUE, 100 * TRUE.most_per_s, 10, at_random)["refused_share"] > 0


def test_what_stands_behind_grows_with_events_and_replicas() -> None:
    one, many = behind(8_640_000, 1, 512, RATES), behind(8_640_000_000, 1000, 512, RATES)
    assert many["connections"] == 1000 * one["connections"]
    assert many["looks_per_s"] == 10_000
    assert many["writes_per_s"] == 10_000  # ten a second each, however many events come
    assert (one["writes_per_s"], one["events_per_s"]) == (10, 100)
    assert one["events_gb_a_day"] == pytest.approx(100 * 86_400 * 500 / 1e9)
    assert many["memory_gb"] == 500


def test_a_faster_machine_shortens_every_time() -> None:
    fast = TRUE.as_fast_as(10 * TRUE.most_per_s)
    assert fast.most_per_s == pytest.approx(10 * TRUE.most_per_s)
    assert (fast.batch_s, fast.overhead_s, fast.spread) == pytest.approx((0.002, 0.0003, TRUE.spread))


def everything() -> dict[str, Any]:
    shares = ("30%", "70%", "90%", "120%")
    step = {"offered": 90.0, "achieved": 90.0, "p50_ms": 12.0, "p99_ms": None, "refused": 0, "unanswered": 3}
    server = {
        "capacity": 100.0,
        "cpu_ms": 7.2,
        "memory_mb": 300,
        "cpu_ratio": 1.0,
        "best_within_limit": 80.0,
        "capacity_ratio": 1.0,
        "within_limit_ratio": 1.0,
    }
    said = {"requests_per_s": 20_000, "p50_ms": 30.0, "p99_ms": 90.0, "refused_share": 0.0}
    entry = {"ours": "us", "peer": "them", "ours_value": 400.0, "peer_value": 100.0, "machine": {"cpu": "a CPU"}}
    names = [f"{load:.0%} load, {policy}" for load in growth.LOADS for policy in growth.POLICIES]
    about = {"machine": {"cpu": "a CPU", "cores": 2}, "load_average": 7.0}
    row = {"value": 0.77, "seconds": 360.0}
    error = {f"{kind}{name}": 1.0 for name in ("p50_ms", "p99_ms") for kind in ("", "error of ")}
    error |= {f"error of {name} then": 1.0 for name in ("p50_ms", "p99_ms")}
    error |= {f"{name} of the model": 1.0 for name in ("p50_ms", "p99_ms")}
    return {
        "results": {"predict_vs_pipeline": entry, "serve_vs_plain": entry},
        "methods": {"all": {"budgets": {"all": {"lora": row, "tfidf": row}}}},
        "saturation": about
        | {
            "limit_ms": 1000.0, "servers": {"tuneloop": server, "plain": server},
            "settings": {"tuneloop": "s", "plain": "s"},
            "curve": {name: dict.fromkeys(shares, step) for name in ("tuneloop", "plain")},
        },
        "growth": {
            "mean_per_s": 11_574, "peak_factor": 2.0, "limit_ms": 500.0,
            "replica": {"batch_ms": 20, "text_ms": 4, "overhead_ms": 3, "most_texts": 80, "spread": 0.3,
                        "most_per_s": 235.0},
            "check": {"10%": {"offered": 20.0} | error, "90%": {"offered": 180.0} | error | {"error of p99_ms": None}},
            "growth": {name: {str(count): said for count in growth.REPLICAS} for name in names},
            "bf16_per_s": 538.0,
            "billion": {f"{machine}, {name}": {"replicas": 200} | said
                        for machine in ("measured", "bf16") for name in growth.POLICIES},
            "behind": {str(daily): behind(daily, daily // 5_000_000, 512, RATES) for daily in growth.DAYS},
        },
        "store_rates": RATES,
    }  # fmt: skip


@pytest.mark.parametrize("language", WORDS)
def test_every_table_has_a_cell_below_every_head(language: str) -> None:
    made = tables(everything(), 0.5, WORDS[language])
    assert made.keys() == WORDS[language]["heads"].keys() == WORDS[language]["above"].keys()
    for table in made.values():
        above, empty, *lines = table.splitlines()
        assert above and not empty and "{" not in table
        assert len(lines) > 2
        assert len({line.count("|") for line in lines}) == 1, table


def test_costs_are_hours_times_the_price_that_was_given() -> None:
    table = tables(everything(), 0.36, WORDS["en"])
    assert "| us | a CPU | 400 | 0.69 | 0.250 |" in table["predictions"]
    assert "| `lora` | 0.770 | 360 | 0.03600 |" in table["fine-tunes"]


def test_what_breaks_first_stands_first() -> None:
    found = limits(everything())
    assert [name for name, *_ in found] == ["sqlite", "postgresql", "connections", "looks_per_s"]
    assert [round(daily / 1e6) for _, _, daily in found] == [86, 108, 250, 1150]


def test_a_table_takes_the_place_of_its_own_name_alone() -> None:
    page = "a\n<!-- x: written by python -m benchmarks.scale -->\nold\n<!-- end of x -->\nb\n"
    once = put(page, "x", "| new |")
    assert "old" not in once and once.startswith("a\n") and once.endswith("\nb\n")
    assert put(once, "x", "| new |") == once
    with pytest.raises(SystemExit, match="lacks the lines"):
        put(page, "y", "| new |")
