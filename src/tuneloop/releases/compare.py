"""What differs between releases or runs: settings, metrics, data, and which one is really better."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import DataError
from tuneloop.evaluation.predictions import PREDICTIONS, compare_predictions, read_predictions
from tuneloop.releases.read import Release

if TYPE_CHECKING:
    from tuneloop.tasks.base import Task
    from tuneloop.training.run import Run


@dataclass(frozen=True)
class Side:
    """What is compared of a release or a run.

    Args:
        name: its id.
        path: where its predictions lie, if it has any.
        model: the folder of its model.
        config: its settings as plain JSON.
        data_hash: of the data that it was trained on.
        evaluation: its evaluation.json; empty if it was not evaluated.
    """

    name: str
    path: Path
    model: Path
    config: dict[str, Any]
    data_hash: str
    evaluation: dict[str, Any]

    @property
    def metrics(self) -> dict[str, Any]:
        """Its figures with their intervals."""
        return dict(self.evaluation.get("metrics", {}))


def side(of: Release | Run) -> Side:
    """What is compared of `of`."""
    if isinstance(of, Release):
        return Side(of.id, of.path, of.path, of.info["config"], of.info["data_hash"], of.evaluation)
    path = of.path / "evaluation.json"
    evaluation = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return Side(of.id, of.path, of.model_path, of.config.model_dump(mode="json"), of.snapshot_hash, evaluation)


def compare(a: Release | Run, b: Release | Run) -> dict[str, Any]:
    """`{"config": {key: [a, b]}, "metrics": {...}, "data": {...}}`, holding only what differs.

    Where both answered the same test rows, `paired` says whether b is better than a, with a `sentence`, and under
    `rows` each text that they answer differently, `{"id", "text", "label", "a", "b"}`. Where their test rows differ,
    `unpaired` says why the two cannot be compared.
    """
    sides = side(a), side(b)
    return differences(sides) | paired(*sides)


def compare_many(found: Sequence[Release | Run]) -> dict[str, Any]:
    """`differences` of several, and each beside the one whose primary figure is highest.

    `best` is its name, empty if none was evaluated. `against_best` holds for each other one that was evaluated `name`
    and either the paired test, with its `verdict` and `sentence`, or `unpaired`, why there is none.
    """
    sides = [side(each) for each in found]
    known = [each for each in sides if _headline(each) is not None]
    best = max(known, key=lambda each: _headline(each) or 0.0, default=None)
    others = [each for each in known if each is not best]
    tests = [{"name": each.name} | _test(best, each) for each in others if best]
    return differences(sides) | {"best": best.name if best else "", "against_best": tests}


def _headline(of: Side) -> float | None:
    """The primary figure of the evaluation; None without one."""
    metric = of.evaluation.get("task", {}).get("primary_metric", "")
    value = of.metrics.get(metric, {}).get("value")
    return None if value is None else float(value)


def _test(best: Side, other: Side) -> dict[str, Any]:
    found = paired(other, best)
    return {key: value for key, value in found.get("paired", found).items() if key != "rows"}


def differences(sides: Sequence[Side]) -> dict[str, Any]:
    """`{"config": {key: [value of each]}, "metrics": {...}, "data": {...}}`, holding only what is not the same."""
    return {
        "config": _changes([_flat(each.config) for each in sides]),
        "metrics": _changes([each.metrics for each in sides]),
        "data": _changes([{"hash": each.data_hash} for each in sides]),
    }


def paired(a: Side, b: Side) -> dict[str, Any]:
    """Whether b is better than a on the rows that both answered, see `compare`; empty without their answers."""
    paths = [each.path / PREDICTIONS for each in (a, b)]
    if not all(path.is_file() for path in paths):
        return {}
    seed, resamples = b.config["seed"], b.config["evaluation"]["resamples"]
    try:
        before, after = map(read_predictions, paths)
        found, rows = compare_predictions(_task(b), after, before, seed=seed, resamples=resamples)
    except DataError as error:
        return {"unpaired": error.problem}
    changed = [row | {"a": row["b"], "b": row["a"]} for row in rows]
    return {"paired": found.to_json() | {"sentence": found.sentence(b.name, a.name), "rows": changed}}


def _task(of: Side) -> Task:
    from tuneloop.core.config import TaskConfig
    from tuneloop.inference.opening import read_settings
    from tuneloop.tasks import create_task

    settings = read_settings(of.model)
    return create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])


def _changes(found: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    rows = {key: [each.get(key) for each in found] for key in sorted({key for each in found for key in each})}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values)}


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat.update(_flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner})
    return flat
