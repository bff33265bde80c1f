"""Evidence has one format, replaces its own kind, and becomes a page."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.docs import page
from benchmarks.measure import alternate
from benchmarks.peers import UNTIMED_STEPS, Clock
from benchmarks.registry import BENCHMARKS
from benchmarks.results import Result, Sides, read, record, result

FIELDS = [
    *("name", "ours", "peer", "peer_version", "unit", "ours_value", "peer_value", "ratio", "low", "high"),
    *("quality", "machine", "command", "date", "ours_each", "peer_each"),
]


def made(name: str, sides: Sides, *, smaller_is_better: bool = False) -> Result:
    return result(
        name, sides, ours="us", peer="them", peer_package="numpy", unit="texts/s", quality={"accuracy": {"us": 0.9}},
        smaller_is_better=smaller_is_better,
    )  # fmt: skip


def test_a_result_has_the_agreed_fields_in_the_agreed_order() -> None:
    assert [field.name for field in fields(Result)] == FIELDS


def test_a_new_result_replaces_the_old_one_of_its_name_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for name, value in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        record(made(name, Sides([value], [1.0])), path)
    assert [(entry["name"], entry["ratio"]) for entry in read(path)] == [("a", 3.0), ("b", 2.0)]
    assert list(json.loads(path.read_text(encoding="utf-8"))[0]) == FIELDS


def test_less_time_is_a_ratio_above_one() -> None:
    assert made("a", Sides([1.0, 1.0, 2.0], [4.0, 4.0, 4.0]), smaller_is_better=True).ratio == 4
    assert made("a", Sides([4.0], [1.0])).ratio == 4


@given(st.lists(st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)), min_size=1, max_size=7))
def test_the_ratio_of_medians_lies_within_the_range_of_ratios(pairs: list[tuple[float, float]]) -> None:
    for smaller in (False, True):
        found = made("a", Sides([a for a, _ in pairs], [b for _, b in pairs]), smaller_is_better=smaller)
        assert found.low * 0.999 <= found.ratio <= found.high * 1.001


def test_both_sides_take_turns_after_a_warm_up() -> None:
    calls: list[str] = []
    sides = alternate(lambda n: calls.append(f"a{n}") or 2.0, lambda n: calls.append(f"b{n}") or 1.0, repetitions=2)
    assert calls == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert sides == Sides([2.0, 2.0], [1.0, 1.0])


def test_the_first_steps_are_not_timed() -> None:
    times = iter([100.0, 101.0, 103.0])
    clock = Clock(lambda: next(times))
    for _ in range(UNTIMED_STEPS + 2):
        clock.step(16)
    assert clock.samples_per_s == pytest.approx(32 / 3)


def test_the_page_says_which_bars_are_met_and_names_no_path_of_this_machine() -> None:
    entries = [vars(made(name, Sides([9.5], [1.0]))) for name in ("predict_vs_pipeline", "cli_start")]
    text = page(entries, {"sentiment": {"tuneloop": {"macro_f1": 0.76}}})
    rows = {line.split("|")[1].strip(): line.split("|")[-2].strip() for line in text.splitlines() if "9.5x" in line}
    assert rows == {"predict_vs_pipeline": "yes", "cli_start": "no"}
    assert "macro_f1 0.76" in text
    assert str(Path.home()) not in text + json.dumps(entries) and str(Path.cwd()) not in text + json.dumps(entries)


def test_every_benchmark_names_a_module_that_can_run() -> None:
    from importlib import import_module

    for benchmark in BENCHMARKS.values():
        assert callable(import_module(f"benchmarks.{benchmark.module}").run)
