"""Comparisons and searches of a workspace, and what score costs in them: points with intervals and their front."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.errors import TrainingError
from tuneloop.core.i18n import t
from tuneloop.core.paths import ID_PATTERN, Workspace, check_id
from tuneloop.evaluation.names import model_name
from tuneloop.experiments.compare import COMPARISON
from tuneloop.experiments.judge import pareto
from tuneloop.experiments.words import budget_name

SEARCH = "search.json"
LABELS = "labels"
"""The cost that differs between budgets, not within one."""


@dataclass(frozen=True)
class Experiment:
    """A finished comparison or search.

    Args:
        kind: "comparison" or "search".
        path: its folder.
        found: what its JSON file holds.
        changed_ns: when that was written.
    """

    kind: str
    path: Path
    found: dict[str, Any]
    changed_ns: int

    @property
    def id(self) -> str:
        """Its name."""
        return self.path.name


@dataclass(frozen=True)
class Point:
    """A method, or a trial of a search: how good it is and what it costs.

    Args:
        label: its name, which no other point of the picture has.
        value: the figure, higher is better.
        low: lower bound of its 95 % interval; None where there is none.
        high: upper bound.
        cost: what it costs, lower is better.
        front: whether no other is at least as good for no more.
        take: whether it is recommended.
    """

    label: str
    value: float
    low: float | None
    high: float | None
    cost: float
    front: bool
    take: bool


def experiments(workspace: Workspace) -> list[Experiment]:
    """Every finished comparison and search, the newest first."""
    files = [("comparison", path) for path in workspace.comparisons.glob(f"*/{COMPARISON}")]
    files += [("search", path) for path in (workspace.root / "searches").glob(f"*/{SEARCH}")]
    found = [_read(kind, path) for kind, path in files if ID_PATTERN.match(path.parent.name)]
    return sorted(filter(None, found), key=lambda each: each.changed_ns, reverse=True)


def open_experiment(name: str, workspace: Workspace) -> Experiment:
    """The comparison or search with this name.

    Raises:
        TrainingError: if there is none that is finished.
    """
    places = {
        "comparison": workspace.comparisons / check_id(name) / COMPARISON,
        "search": workspace.root / "searches" / name / SEARCH,
    }
    found = (_read(kind, path) for kind, path in places.items())
    known = next(filter(None, found), None)
    if known is None:
        raise TrainingError(
            t("There is no finished comparison or search {name}.", name=name),
            t("Make one with tuneloop compare or tuneloop search; one that was stopped goes on with the same command."),
        )
    return known


def cost_names() -> dict[str, str]:
    """What a point may cost, for people."""
    return {
        "seconds": t("seconds of training"),
        "trained_parameters": t("trained parameters"),
        "latency_ms": t("milliseconds for one text"),
        "size_bytes": t("bytes on disk"),
        "peak_memory_bytes": t("bytes of memory, at most"),
        LABELS: t("training texts"),
    }


def costs_of(experiment: Experiment) -> list[str]:
    """The costs that are known of it; the number of labels where there are several budgets."""
    if experiment.kind == "search":
        return ["seconds"]
    budgets = experiment.found["budgets"]
    methods = [each for budget in budgets for each in budget["methods"]]
    known = [name for name in cost_names() if any(each.get(name) is not None for each in methods)]
    return [*known, LABELS] if len(budgets) > 1 else known


def points(experiment: Experiment, *, cost: str, budget: Mapping[str, Any] | None = None) -> list[Point]:
    """The points of a picture of quality against `cost`, the best first.

    Args:
        budget: which of a comparison's; all of them together for `LABELS`, and for searches there are none.
    """
    if experiment.kind == "search":
        entries, take = _trials(experiment.found), {str(experiment.found["best"]["trial"])}
    elif cost == LABELS or budget is None:
        entries, take = _of_all_budgets(experiment.found)
    else:
        entries = [dict(each) for each in budget["methods"]]
        take = {experiment.found["recommendations"][str(budget["budget"])]["take"]}
    known = [each for each in entries if each.get(cost) is not None]
    front = pareto(known, cost)
    return sorted(
        (
            Point(
                each["label"], each["value"], each.get("low"), each.get("high"), each[cost],
                front=each["label"] in front, take=each["label"] in take,
            )
            for each in known
        ),
        key=lambda each: (-each.value, each.cost, each.label),
    )  # fmt: skip


def _of_all_budgets(found: Mapping[str, Any]) -> tuple[list[dict[str, Any]], set[str]]:
    """Every method with every budget, each under a name of its own, and those to take."""
    entries, take = [], set()
    for budget in found["budgets"]:
        name = budget_name(budget["budget"], classes=found["classes"])
        for each in budget["methods"]:
            label = f"{model_name(each['label'])} · {name}"
            entries.append({**each, "label": label, LABELS: budget["train_rows"]})
            if each["label"] == found["recommendations"][str(budget["budget"])]["take"]:
                take.add(label)
    return entries, take


def _trials(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Finished trials: what was given up cost less because it was not finished."""
    return [
        {"label": str(each["trial"]), "value": each["value"], "seconds": each["seconds"]}
        for each in found["trials"]
        if each["state"] == "finished" and each["value"] is not None
    ]


def _read(kind: str, path: Path) -> Experiment | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Experiment(kind, path.parent, dict(found), path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None
