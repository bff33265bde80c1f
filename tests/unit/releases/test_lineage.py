"""Where a release comes from stands in it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from tuneloop.cli.releases import lineage_rows
from tuneloop.core.config import parse_config
from tuneloop.core.hashing import hash_json
from tuneloop.core.paths import Workspace
from tuneloop.core.provenance import PACKAGE, code_version, environment
from tuneloop.data.snapshot import build_snapshot
from tuneloop.releases.lineage import lineage, lineage_of
from tuneloop.tasks import task_class


@pytest.fixture
def config(texts_csv: Path):
    return parse_config({"name": "m", "seed": 7, "data": {"source": texts_csv.name}})


def test_a_release_names_data_settings_seed_code_and_environment_by_hashes(config, texts_csv: Path) -> None:
    workspace = Workspace(texts_csv.parent / "w")
    task = task_class(config.task)
    data = build_snapshot(config, task=task, workspace=workspace, base=texts_csv.parent, quiet=True)
    run = {"snapshot_hash": data.hash, "code": code_version(), "environment": environment(), "figures": 1}
    found = lineage("m-1", run, config, workspace)
    assert found["data"]["hash"] == data.hash and found["seed"] == 7
    assert found["data"]["sources"]["train"]["sha256"] == hashlib.sha256(texts_csv.read_bytes()).hexdigest()
    assert found["trained"] == {"code": code_version(), "environment": environment()}
    assert found["released"]["environment"]["numpy"] == np.__version__
    other = config.model_copy(update={"seed": 8})
    assert lineage("m-1", run, other, workspace)["config_hash"] != found["config_hash"]
    told = json.dumps([found, list(lineage_rows(found))])
    assert str(texts_csv.parent) not in told and str(PACKAGE) not in told


def test_an_older_release_tells_what_it_knows() -> None:
    found = lineage_of({"run": "r", "data_hash": "abc", "config": {"seed": 3}})
    assert [row[1] for row in lineage_rows(found)] == ["r", "abc", hash_json({"seed": 3}), "3"]


def test_another_line_of_code_is_another_version(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tuneloop.core.provenance.PACKAGE", tmp_path / "src" / "tuneloop")
    source = tmp_path / "src" / "tuneloop" / "a.py"
    source.parent.mkdir(parents=True)
    versions = []
    for text in ("a = 1\n", "a = 2\n"):
        source.write_text(text)
        code_version.cache_clear()
        versions.append(code_version())
    code_version.cache_clear()
    assert versions[0]["source_sha256"] != versions[1]["source_sha256"]
    assert "commit" not in versions[0]  # no checkout of ours
