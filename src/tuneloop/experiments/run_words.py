"""Runs in words and cells, for the terminal and for the studio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.core.progress import format_duration
from tuneloop.evaluation.names import decimals, figure_text, metric_name
from tuneloop.training.runs import FINISHED, STOPPED, WORKING, RunRow


def headers() -> list[str]:
    """The columns of `run_cells`."""
    return [t("run"), t("state"), t("method"), t("seed"), t("data"), t("best on dev"), t("started"), t("time")]


def run_cells(row: RunRow) -> list[str]:
    """A row of the list of runs."""
    started = str(row.run.info.get("started", ""))[:16].replace("T", " ")
    seconds = row.run.info.get("steps_s")
    return [
        row.id,
        state_name(row),
        row.method,
        "" if row.seed is None else str(row.seed),
        row.data,
        best_text(row),
        started,
        "" if seconds is None else format_duration(seconds),
    ]


def state_name(row: RunRow) -> str:
    """How it stands, with the share that is done where that is known."""
    name = {FINISHED: t("finished"), WORKING: t("at work"), STOPPED: t("stopped")}[row.state]
    done, planned = row.steps
    return f"{name} {done / planned:.0%}" if planned and row.state != FINISHED else name


def best_text(row: RunRow) -> str:
    """The best dev figure with its name."""
    best = row.best
    return "" if best is None else f"{metric_name(row.metric)} {decimals(best)}"


def difference_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Kind, name and the value of each run, of what `releases.compare` found to differ."""
    kinds = {"config": t("setting"), "data": t("data"), "metrics": t("metric")}
    return [
        [kinds[kind], metric_name(name) if kind == "metrics" else name, *(_shown(kind, value) for value in values)]
        for kind in kinds
        for name, values in found[kind].items()
    ]


def _shown(kind: str, value: Any) -> str:
    if kind == "metrics":
        return figure_text(value)
    return "-" if value is None else str(value)[:12] if kind == "data" else str(value)


def verdicts(found: Mapping[str, Any]) -> list[str]:
    """What the paired tests say, a sentence each; why there is none, where there is none."""
    if not found["best"]:
        return [t("None of them was evaluated: tuneloop evaluate RUN measures one on the test split.")]
    said = [
        each.get("sentence") or f"{each['name']}: {each.get('unpaired') or t('its answers are not there.')}"
        for each in found["against_best"]
    ]
    if len(said) > 1:
        said.append(t("Each sentence is a test of its own; of many, one in twenty finds a difference that is none."))
    return said or [t("Only {run} was evaluated; evaluate the others to compare them.", run=found["best"])]
