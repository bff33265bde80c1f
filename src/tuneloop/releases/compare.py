"""What differs between two releases: settings, metrics, data."""

from __future__ import annotations

import json
from typing import Any

from tuneloop.releases.read import Release


def compare(a: Release, b: Release) -> dict[str, Any]:
    """`{"config": {key: [a, b]}, "metrics": {...}, "data": {...}}`, holding only what differs."""
    return {
        "config": _changes(_flat(a.info["config"]), _flat(b.info["config"])),
        "metrics": _changes(_metrics(a), _metrics(b)),
        "data": _changes({"hash": a.info["data_hash"]}, {"hash": b.info["data_hash"]}),
    }


def _changes(a: dict[str, Any], b: dict[str, Any]) -> dict[str, list[Any]]:
    return {key: [a.get(key), b.get(key)] for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)}


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat.update(_flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner})
    return flat


def _metrics(release: Release) -> dict[str, Any]:
    evaluation = json.loads((release.path / "evaluation.json").read_text(encoding="utf-8"))
    return dict(evaluation.get("metrics", {}))
