"""Audits of runs and releases: what is audited, and where audit.json and its page are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tuneloop.audits.answers import Remembering
from tuneloop.audits.base import Subject
from tuneloop.audits.page import audit_html
from tuneloop.audits.run import create_audits, run_audits, with_rows
from tuneloop.core.config import parse_config
from tuneloop.core.deployment import AuditConfig
from tuneloop.core.errors import DataError, ReleaseError
from tuneloop.core.fsio import write_json, write_text
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.snapshot_folder import Snapshot, find_snapshot
from tuneloop.evaluation.predictions import PREDICTIONS, Predictions, read_predictions
from tuneloop.models.device import choose_device
from tuneloop.releases.index import model_of, rows
from tuneloop.releases.read import Release
from tuneloop.releases.scorecard import Subject as Measured
from tuneloop.releases.scorecard import subject_of
from tuneloop.training.run import Run

AUDIT, PAGE = "audit.json", "audit.html"
PARTIAL, PARTIAL_PAGE = "audit-only.json", "audit-only.html"
"""Of some audits alone, which must not take the place of a whole audit."""

ANSWERING = (".safetensors", ".json", ".onnx", ".xml", ".yaml")
"""Files that answers may hang on."""

LIBRARIES = ("tuneloop", "torch", "transformers", "tokenizers", "onnxruntime", "openvino")
"""Packages that compute answers, with another version perhaps others."""


def audit(
    target: Run | Release, *, workspace: Workspace, config: AuditConfig, partial: bool = False, quiet: bool = False
) -> dict[str, Any]:
    """Audit a run or release; what an interrupted audit asked the model is not asked again.

    Args:
        config: the section `audit` to go by.
        partial: whether it holds only some audits of its configuration; their files are called audit-only then.

    Returns:
        The content of audit.json, with the path of the page as `report`. A run's files lie in its folder, a
        release's in `audits/` of the workspace, as a release is never written to.

    Raises:
        ConfigError: if there is no such audit, option, figure or finding.
    """
    create_audits(config)  # a wrong name, before the model is opened
    measured = subject_of(target, workspace)
    folder = target.path if isinstance(target, Run) else workspace.audits / target.id
    with closing(measured.predictor), closing(_remembering(measured, workspace)) as model:
        found = run_audits(with_rows(_subject(measured, model, workspace), config.rows), config, quiet=quiet)
    folder.mkdir(parents=True, exist_ok=True)
    write_audit(folder, found, partial=partial)
    return found | {"report": str(folder / (PARTIAL_PAGE if partial else PAGE))}


def audit_for_release(
    run: Run,
    *,
    workspace: Workspace,
    config: AuditConfig | None = None,
    found: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> dict[str, Any] | None:
    """The audit that a release of this run must pass; None if its configuration asks for none.

    Args:
        config: the section `audit` to go by; the run's own by default.
        found: what `audit` has just said of the run by that section; else it is asked here.

    Raises:
        ReleaseError: if it does not pass; the audit stays in the run's folder.
    """
    from tuneloop.audits.gate import failed

    config = config or run.config.audit
    if not config.required:
        return None
    made = dict(found) if found else audit(run, workspace=workspace, config=config, quiet=quiet)
    report = made.pop("report")
    broken = failed(made)
    if broken:
        raise ReleaseError(
            t("The run {name} does not pass its gate: {rules}", name=run.id, rules=" ".join(broken)),
            t("Look at {path}, then mend the data or the model, or change audit.limits and audit.forbid.", path=report),
        )
    return made


def write_audit(folder: Path, found: Mapping[str, Any], *, partial: bool = False) -> None:
    """audit.json and its page; of a partial audit audit-only.json and its page."""
    write_text(folder / (PARTIAL_PAGE if partial else PAGE), audit_html(found))
    write_json(folder / (PARTIAL if partial else AUDIT), dict(found))


def newest_audit(release: Release, workspace: Workspace) -> dict[str, Any] | None:
    """The audit.json of a release: the newest that was made of it, else the one that it passed; None without one."""
    for folder in (workspace.audits / release.id, release.path):
        with suppress(OSError, ValueError):
            return dict(json.loads((folder / AUDIT).read_text(encoding="utf-8")))
    return None


def _subject(measured: Measured, model: Remembering, workspace: Workspace) -> Subject:
    test, earlier = measured.snapshot.split("test"), _earlier(measured, workspace)
    return Subject(
        name=measured.name,
        model=model,
        bare=measured.predictor,
        train=measured.snapshot.split("train"),
        dev=measured.snapshot.split("dev"),
        test=test,
        whole_test=test,
        seed=measured.config.seed,
        folder=measured.folder,
        earlier=earlier,
        earlier_answers=_earlier_answers(earlier, workspace),
    )


def _earlier(measured: Measured, workspace: Workspace) -> dict[str, Examples]:
    found = earlier_snapshots(
        measured.config.name, before=measured.name, without=measured.snapshot.hash, workspace=workspace
    )
    return {name: snapshot.split("test") for name, snapshot in found.items()}


def earlier_snapshots(name: str, *, before: str, without: str, workspace: Workspace) -> dict[str, Snapshot]:
    """By release, the data of releases of a model's name whose data is still there, each data once.

    Args:
        before: the release before which they were made; all of them, where it is none.
        without: hash of data that does not count.
    """
    found: dict[str, Snapshot] = {}
    seen = {without}
    for row in rows(workspace):
        if row.id == before:
            break
        if model_of(row.id) != name or row.data_hash in seen:
            continue
        seen.add(row.data_hash)
        with suppress(DataError):  # its data was deleted: what is gone cannot be asked
            found[row.id] = find_snapshot(row.data_hash, workspace)
    return found


def _earlier_answers(earlier: Mapping[str, Examples], workspace: Workspace) -> dict[str, Predictions]:
    """What these releases answered to their own test rows, where predictions.parquet is there."""
    paths = {name: workspace.releases / name / PREDICTIONS for name in earlier}
    return {name: read_predictions(path) for name, path in paths.items() if path.is_file()}


def _remembering(measured: Measured, workspace: Workspace) -> Remembering:
    """The model with its earlier answers: those of these weights, this engine, knowledge, software and device alone."""
    digest = hashlib.sha256(json.dumps([measured.predictor.name, _versions(), choose_device()]).encode())
    for file in sorted(measured.folder.rglob("*")):
        if file.is_file() and file.suffix in ANSWERING and file.name not in (AUDIT, PARTIAL, "evaluation.json"):
            digest.update(f"{file.relative_to(measured.folder)} {hash_file(file)}".encode())
    return Remembering(measured.predictor, workspace.cache / "audits" / f"{digest.hexdigest()[:24]}.sqlite")


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def settings_of(target: Run | Release) -> AuditConfig:
    """The section `audit` that a run or release was made with."""
    return target.config.audit if isinstance(target, Run) else parse_config(target.info["config"]).audit
