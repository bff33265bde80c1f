"""The page of all comparisons."""

from __future__ import annotations

from dataclasses import asdict

from benchmarks.report import html
from benchmarks.results import Sides, read, result


def test_each_comparison_shows_its_repetitions_their_median_and_spread() -> None:
    found = result(
        "predict_vs_pipeline", Sides([90.0, 110.0, 100.0], [10.0, 10.0, 8.0]), ours="predict", peer="pipeline",
        peer_package="torch", unit="texts/s", quality={"accuracy": 0.5},
    )  # fmt: skip
    page = html([asdict(found)])
    assert "Ratio 10.0 (9.0 to 12.5); bar: at least 9x; met: yes." in page
    assert ">20%<" in page and ">100.000<" in page
    assert page.count("<svg") == 2


def test_what_was_recorded_without_its_repetitions_is_shown_as_well() -> None:
    page = html(read())
    assert all(each["name"] in page for each in read())
