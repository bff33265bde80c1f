"""What differs between two releases: settings, metrics, data, and which one is really better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import DataError
from tuneloop.evaluation.predictions import PREDICTIONS, compare_predictions, read_predictions
from tuneloop.releases.read import Release

if TYPE_CHECKING:
    from tuneloop.tasks.base import Task


def compare(a: Release, b: Release) -> dict[str, Any]:
    """`{"config": {key: [a, b]}, "metrics": {...}, "data": {...}}`, holding only what differs.

    Where both answered the same test rows, `paired` says whether b is better than a, with a `sentence`, and under
    `rows` each text that they answer differently, `{"id", "text", "label", "a", "b"}`. Where their test rows differ,
    `unpaired` says why the two cannot be compared.
    """
    differences = {
        "config": _changes(_flat(a.info["config"]), _flat(b.info["config"])),
        "metrics": _changes(_metrics(a), _metrics(b)),
        "data": _changes({"hash": a.info["data_hash"]}, {"hash": b.info["data_hash"]}),
    }
    return differences | _paired(a, b)


def _paired(a: Release, b: Release) -> dict[str, Any]:
    paths = [release.path / PREDICTIONS for release in (a, b)]
    if not all(path.is_file() for path in paths):
        return {}
    before, after = map(read_predictions, paths)
    config = b.info["config"]
    seed, resamples = config["seed"], config["evaluation"]["resamples"]
    try:
        found, rows = compare_predictions(_task(b), after, before, seed=seed, resamples=resamples)
    except DataError as error:
        return {"unpaired": error.problem}
    changed = [row | {"a": row["b"], "b": row["a"]} for row in rows]
    return {"paired": found.to_json() | {"sentence": found.sentence(b.id, a.id), "rows": changed}}


def _task(release: Release) -> Task:
    from tuneloop.core.config import TaskConfig
    from tuneloop.inference.opening import read_settings
    from tuneloop.tasks import create_task

    settings = read_settings(release.path)
    return create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])


def _changes(a: dict[str, Any], b: dict[str, Any]) -> dict[str, list[Any]]:
    return {key: [a.get(key), b.get(key)] for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)}


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat.update(_flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner})
    return flat


def _metrics(release: Release) -> dict[str, Any]:
    return dict(release.evaluation.get("metrics", {}))
