"""The gate: no release without the audit that its configuration asks for, and the audit travels with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import tuneloop as tl
from tuneloop.cli.app import run as command
from tuneloop.core.config import load_config
from tuneloop.core.deployment import AuditConfig
from tuneloop.core.errors import ConfigError, ReleaseError
from tuneloop.core.paths import Workspace
from tuneloop.releases import auditing
from tuneloop.training.run import Run


@pytest.fixture(scope="module")
def finished(tiny_model: Path, made_up: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the tiny BERT."""
    folder = tmp_path_factory.mktemp("gate")
    rows = [made_up("classification").split(name) for name in ("train", "dev", "test")]
    lines = [json.dumps({"text": t, "label": y}) for each in rows for t, y in zip(each.texts, each.labels, strict=True)]
    (folder / "texts.jsonl").write_text("\n".join(lines))
    settings = {
        "name": "mood", "workspace": str(folder / "w"),
        "data": {"source": str(folder / "texts.jsonl"), "split": {"dev": 0.2, "test": 0.2}},
        "model": {"source": str(tiny_model), "max_tokens": 16},
        "training": {"epochs": 1, "batch_size": 8, "precision": "fp32", "report_to": []},
        "audit": {"audits": ["cost"], "limits": {"cost.size_mb": 1e-6, "cost.texts_per_s": 1e-6}},
        "release": {"forms": []},
    }  # fmt: skip
    (folder / "tuneloop.yaml").write_text(yaml.safe_dump(settings))
    return tl.tune(load_config(folder / "tuneloop.yaml"), quiet=True)


def with_limit(run: Run, size_mb: float) -> Run:
    path = run.path / "config.yaml"
    plain = yaml.safe_load(path.read_text())
    plain["audit"]["limits"]["cost.size_mb"] = size_mb
    path.write_text(yaml.safe_dump(plain))
    return run


def test_a_run_that_does_not_pass_is_no_release_and_one_that_does_carries_its_audit(
    finished: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = finished.path.parents[1]
    with pytest.raises(ReleaseError) as caught:
        tl.release(with_limit(finished, 1e-6), quiet=True)
    assert "cost.size_mb" in caught.value.problem and "cost.texts_per_s" not in caught.value.problem
    assert not (workspace / "releases").is_dir() or not list((workspace / "releases").iterdir())
    assert (finished.path / "audit.html").is_file()
    assert command(["audit", finished.id, "-w", str(workspace), "-q"]) == 1
    assert "does not pass" in capsys.readouterr().err

    with_limit(finished, 1e6)
    stricter = workspace.parent / "tuneloop.yaml"
    with pytest.raises(ReleaseError):
        tl.release(finished, config=stricter, quiet=True)
    made = tl.release(finished, quiet=True)
    kept = json.loads((made.path / "audit.json").read_text())
    assert kept["gate"]["passed"] and len(kept["gate"]["rules"]) == 2
    assert "audit.json" in (made.path / "manifest.json").read_text()
    assert command(["audit", made.id, "-w", str(workspace), "-q"]) == 0
    assert (workspace / "audits" / made.id / "audit.json").is_file()  # a release is never written to
    assert json.loads((made.path / "audit.json").read_text()) == kept
    tl.load(made.id, workspace=workspace)


def test_some_audits_keep_their_part_of_the_gate_and_leave_the_whole_audit_alone(finished: Run) -> None:
    plain = yaml.safe_load((finished.path / "config.yaml").read_text())
    plain["audit"] |= {"audits": ["data", "cost"], "limits": {"cost.size_mb": 1e6}, "forbid": ["leakage", "membership"]}
    (finished.path / "audit.json").write_text("{}")
    config = load_config(finished.path / "config.yaml").model_copy(
        update={"audit": AuditConfig.model_validate(plain["audit"])}
    )
    found = tl.audit(finished, only=("data",), config=config, quiet=True)
    assert [rule["kind"] for rule in found["gate"]["rules"]] == ["leakage"]
    assert (finished.path / "audit.json").read_text() == "{}"
    assert Path(found["report"]).name == "audit-only.html" and Path(found["report"]).is_file()
    assert (finished.path / "audit-only.json").is_file()


def test_answers_of_another_version_are_not_taken(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run, workspace = with_limit(finished, 1e6), Workspace(finished.path.parents[1])

    def files() -> int:
        return len(list((workspace.cache / "audits").glob("*.sqlite")))

    def again() -> None:
        auditing.audit(run, workspace=workspace, config=run.config.audit, quiet=True)

    again()
    before = files()
    again()
    assert files() == before
    monkeypatch.setattr(auditing, "version", lambda name: "0.0.1")
    again()
    assert files() == before + 1


def test_a_wrong_figure_is_told_before_training(finished: Run) -> None:
    broken = finished.config.audit.model_copy(update={"limits": {"cost.nosuch": 1.0}})
    with pytest.raises(ConfigError, match=r"cost\.nosuch"):
        tl.tune(finished.config.model_copy(update={"audit": broken}), quiet=True)
