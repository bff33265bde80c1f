"""Releases as far as the record of deployments and a server with a model of its own care for them."""

from __future__ import annotations

import json
from typing import Any

from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.releases import index
from tuneloop.releases.manifest import write_manifest


def make_release(workspace: Workspace, release: str, *, task: str = "classification", **settings: Any) -> None:
    """A folder with a manifest and its row; it holds eight bytes in place of weights."""
    folder = workspace.releases / release
    folder.mkdir(parents=True)
    name = release.rpartition("-")[0]
    config = parse_config({"name": name, "data": {"source": "x.csv"}, "task": task, **settings})
    info = {
        "id": release, "run": "run", "data_hash": "hash", "created": "2026-01-01", "engine": "fake", "forms": {},
        "config": config.model_dump(mode="json"),
    }  # fmt: skip
    (folder / "release.json").write_text(json.dumps(info))
    (folder / "model.safetensors").write_bytes(release.encode().ljust(8)[:8])
    write_manifest(folder)
    index.insert(index.row_of(info), workspace)
