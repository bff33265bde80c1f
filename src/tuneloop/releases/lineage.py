"""Where a release comes from: data, settings, seed, code and environment, by their hashes."""

from __future__ import annotations

import json
from typing import Any

from tuneloop.core.config import RunConfig
from tuneloop.core.hashing import hash_json
from tuneloop.core.paths import Workspace
from tuneloop.core.provenance import code_version, environment
from tuneloop.data.snapshot_folder import DATASET_FILE, snapshot_folder


def lineage(run_name: str, run: dict[str, Any], config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """What a release notes of its origin, as JSON.

    Args:
        run_name: the run's id.
        run: its run.json.

    Returns:
        `run`, `seed`, `config_hash`; `data` with the snapshot's `hash` and, for each split that was read from a file,
        its name, rows and SHA-256; `from`, what was gone on from, if anything; `trained` and `released`, each with
        `code` (see `core.provenance`) and `environment`. What an older run did not note is missing.
    """
    trained = {key: run[key] for key in ("started", "code", "environment") if key in run}
    data_hash = str(run.get("snapshot_hash", ""))
    return {
        "run": run_name,
        "seed": config.seed,
        "config_hash": hash_json(config.model_dump(mode="json")),
        "data": {"hash": data_hash, "sources": _sources(data_hash, workspace)},
        **({"from": config.continual.model} if config.continual.model else {}),
        "trained": trained,
        "released": {"code": code_version(), "environment": environment()},
    }


def lineage_of(info: dict[str, Any]) -> dict[str, Any]:
    """The lineage in a release.json; of a release from before it was noted, what else tells of it."""
    if "lineage" in info:
        return dict(info["lineage"])
    config = info.get("config", {})
    known = {"run": info.get("run", ""), "seed": config.get("seed"), "config_hash": hash_json(config)}
    data = {"hash": info.get("data_hash", ""), "sources": {}}
    return known | {"data": data, "trained": {}, "released": {}}


def _sources(data_hash: str, workspace: Workspace) -> dict[str, Any]:
    """The files that the snapshot was made of; none if it is not there any more."""
    folder = snapshot_folder(data_hash, workspace)
    try:
        report = {} if folder is None else json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))["report"]
    except (OSError, ValueError, KeyError):
        return {}
    return {split: dict(found) for split, found in report.get("source", {}).items()}
